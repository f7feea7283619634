"""A client made with FastMCP, which opens the browser and waits for it by itself."""

import asyncio
import sys

from fastmcp import Client
from lines import serve_lines

asyncio.run(serve_lines(lambda: Client(sys.argv[1], auth="oauth")))
