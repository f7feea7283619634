"""What every client program of this directory is to the suite, as `lines.mjs` says."""

import asyncio
import json
import sys
import traceback


def say(line):
    print(json.dumps(line), flush=True)


async def serve_lines(make_client):
    """Answers lines until there are no more, all over one client, which is made at the first line."""
    first = await asyncio.to_thread(sys.stdin.readline)
    try:
        async with make_client() as client:
            line = first.rstrip("\n")
            waiting = set()
            while line and line != END:
                answering = asyncio.create_task(answer(client, line))
                waiting.add(answering)
                # An order may wait for the next one.
                if not line.startswith("{"):
                    await answering
                line = (await asyncio.to_thread(sys.stdin.readline)).rstrip("\n")
            await asyncio.gather(*waiting)
        if line == END:
            say({"answer": "ended"})
    except Exception:
        say({"error": traceback.format_exc()})
        raise


END = json.dumps({"end": True}, separators=(",", ":"))


async def answer(client, line):
    try:
        say({"answer": await call(client, line)})
    except Exception:
        say({"error": traceback.format_exc()})


async def call(client, line):
    if not line.startswith("{"):
        result = await client.call_tool("echo", {"text": line})
    else:
        order = json.loads(line)
        result = await client.call_tool(order["tool"], order["arguments"], progress_handler=tell_progress)
    return "\n".join(block.text for block in result.content)


async def tell_progress(progress, total, message):
    say({"event": {"progress": progress}})


async def tell_log(message):
    """What a server says unasked."""
    say({"event": {"method": "notifications/message", "params": {"data": str(message.data)}}})
