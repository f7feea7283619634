"""A client made with FastMCP, which opens the browser and waits for it by itself."""

import asyncio
import sys

from fastmcp import Client
from fastmcp.client.auth import OAuth
from lines import serve_lines, tell_log

server, document = (*sys.argv[1:], None)[:2]
asyncio.run(
    serve_lines(lambda: Client(server, auth=OAuth(client_metadata_url=document), log_handler=tell_log))
)
