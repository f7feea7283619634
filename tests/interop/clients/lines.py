"""What every client program of this directory is to the suite: for each line on stdin it calls the tool `echo` with
that line, and prints one line of JSON, `{"answer": ...}` or `{"error": ...}`."""

import asyncio
import json
import sys
import traceback


async def serve_lines(make_client):
    """Answers lines until there are no more, all over one client, which is made at the first line."""
    first = await asyncio.to_thread(sys.stdin.readline)
    try:
        async with make_client() as client:
            line = first
            while line:
                print(json.dumps(await outcome(client, line.rstrip("\n"))), flush=True)
                line = await asyncio.to_thread(sys.stdin.readline)
    except Exception:
        print(json.dumps({"error": traceback.format_exc()}), flush=True)
        raise


async def outcome(client, text):
    try:
        result = await client.call_tool("echo", {"text": text})
        return {"answer": result.content[0].text}
    except Exception:
        return {"error": traceback.format_exc()}
