"""What the conformance suite of MCP asks a server to have, made with FastMCP: every kind of content, and what a server says
or asks while a tool runs. It prints the port on which it listens."""

import asyncio
import base64
import socket
from dataclasses import dataclass
from enum import Enum
from typing import Annotated

import uvicorn
from fastmcp import Context, FastMCP
from fastmcp.exceptions import ToolError
from fastmcp.prompts import Message
from fastmcp.server.event_store import EventStore
from mcp_types import (
    AudioContent,
    EmbeddedResource,
    ImageContent,
    SamplingMessage,
    TextContent,
    TextResourceContents,
)
from pydantic import Field

# One red pixel, and no sound at all.
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg=="
WAV = "UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAIA+AAACABAAZGF0YQAAAAA="
PAUSE = 0.05

mcp = FastMCP("Conformance")


def text(words):
    return TextContent(type="text", text=words)


def image():
    return ImageContent(type="image", data=PNG, mime_type="image/png")


def resource(uri, kind, words):
    return EmbeddedResource(
        type="resource", resource=TextResourceContents(uri=uri, mime_type=kind, text=words)
    )


@mcp.tool
def test_simple_text() -> str:
    return "This is a simple text response for testing."


@mcp.tool
def test_image_content():
    return [image()]


@mcp.tool
def test_audio_content():
    return [AudioContent(type="audio", data=WAV, mime_type="audio/wav")]


@mcp.tool
def test_embedded_resource():
    return [resource("test://embedded-resource", "text/plain", "This is an embedded resource content.")]


@mcp.tool
def test_multiple_content_types():
    mixed = resource("test://mixed-content-resource", "application/json", '{"test":"data","value":123}')
    return [text("Multiple content types test:"), image(), mixed]


@mcp.tool
def test_error_handling():
    raise ToolError("This tool intentionally returns an error for testing")


@mcp.tool
async def test_tool_with_logging(context: Context) -> str:
    for words in ["Tool execution started", "Tool processing data", "Tool execution completed"]:
        await context.info(words)
        await asyncio.sleep(PAUSE)
    return "done"


@mcp.tool
async def test_tool_with_progress(context: Context) -> str:
    for progress in [0, 50, 100]:
        await context.report_progress(progress, 100)
        await asyncio.sleep(PAUSE)
    return "done"


@mcp.tool
async def test_sampling(prompt: str, context: Context) -> str:
    message = SamplingMessage(role="user", content=text(prompt))
    result = await context.session.create_message(
        [message], max_tokens=100, related_request_id=context.request_id
    )
    return f"LLM response: {result.content.text}"


@dataclass
class Person:
    username: Annotated[str, Field(description="User's response")]
    email: Annotated[str, Field(description="User's email address")]


@mcp.tool
async def test_elicitation(message: str, context: Context) -> str:
    result = await context.elicit(message, Person)
    return f"User response: {result}"


class Status(str, Enum):
    active = "active"
    inactive = "inactive"
    pending = "pending"


@dataclass
class Defaults:
    name: str = "John Doe"
    age: int = 30
    score: float = 95.5
    status: Status = Status.active
    verified: bool = True


@mcp.tool
async def test_elicitation_sep1034_defaults(context: Context) -> str:
    return f"Elicitation completed: {await context.elicit('Please review', Defaults)}"


@mcp.tool
async def test_reconnection(context: Context) -> str:
    """Has the client come back for its answer."""
    await context.close_sse_stream()
    await asyncio.sleep(PAUSE)
    return "done"


@mcp.resource("test://static-text", mime_type="text/plain")
def static_text() -> str:
    return "This is the content of the static text resource."


@mcp.resource("test://static-binary", mime_type="image/png")
def static_binary() -> bytes:
    return base64.b64decode(PNG)


@mcp.resource("test://template/{id}/data", mime_type="application/json")
def template(id: str) -> str:
    return f'{{"id": "{id}", "templateTest": true, "data": "Data for ID: {id}"}}'


@mcp.prompt
def test_simple_prompt() -> str:
    return "This is a simple prompt for testing."


@mcp.prompt
def test_prompt_with_arguments(arg1: str, arg2: str) -> str:
    return f"Prompt with arguments: arg1='{arg1}', arg2='{arg2}'"


@mcp.prompt
def test_prompt_with_embedded_resource(resourceUri: str):
    embedded = resource(resourceUri, "text/plain", "Embedded resource content for testing.")
    return [Message(embedded), Message("Please process the embedded resource above.")]


@mcp.prompt
def test_prompt_with_image():
    return [Message(image()), Message("Please analyze the image above.")]


async def main():
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    app = mcp.http_app(event_store=EventStore(), retry_interval=500)
    await uvicorn.Server(uvicorn.Config(app, log_level="warning")).serve(sockets=[listener])


asyncio.run(main())
