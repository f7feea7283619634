"""A server made with FastMCP that knows nothing of authorization. It prints the port on which it listens."""

import asyncio
import socket
from collections import defaultdict

from fastmcp import Context, FastMCP
from fastmcp.server.dependencies import get_http_request

mcp = FastMCP("Notes")
seen = defaultdict(asyncio.Event)


@mcp.tool
def echo(text: str) -> str:
    return f"you said: {text}"


@mcp.tool
def headers() -> list[list[str]]:
    """The headers of this very request, as they came."""
    raw = get_http_request().headers.raw
    return [[name.decode("latin-1"), value.decode("latin-1")] for name, value in raw]


@mcp.tool
async def wait_until_seen(word: str, context: Context) -> str:
    """Tells of its progress, and does not end before somebody who has read of it says so."""
    await context.report_progress(1, 2, word)
    await seen[word].wait()
    return f"{word} was seen"


@mcp.tool
def say_seen(word: str) -> str:
    seen[word].set()
    return "said"


async def main():
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    await mcp.run_http_async(show_banner=False, sockets=[listener], log_level="warning")


asyncio.run(main())
