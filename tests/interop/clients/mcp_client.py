"""A client made with the MCP Python SDK."""

import asyncio
import os
import sys

import httpx2
from lines import serve_lines
from mcp import Client
from mcp.client.auth import OAuthClientProvider, TokenStorage
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import AuthorizationCodeResult, OAuthClientMetadata


class Memory(TokenStorage):
    """Keeps everything as long as the process lives."""

    tokens = None
    client_info = None

    async def get_tokens(self):
        return self.tokens

    async def set_tokens(self, tokens):
        self.tokens = tokens

    async def get_client_info(self):
        return self.client_info

    async def set_client_info(self, client_info):
        self.client_info = client_info


class Callback:
    """A listener on a free loopback port, to which the browser comes back."""

    def __init__(self):
        self.parameters = asyncio.get_running_loop().create_future()

    async def listen(self):
        server = await asyncio.start_server(self.answer, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{port}/callback"

    async def answer(self, reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        target = httpx2.URL(head.split()[1].decode())
        found = target.path == "/callback"
        body = b"<title>Done</title><p>Go back to the client."
        status = b"200 OK" if found else b"404 Not Found"
        writer.write(b"HTTP/1.1 " + status + b"\r\nContent-Type: text/html\r\nConnection: close\r\n")
        writer.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        await writer.drain()
        writer.close()
        if found and not self.parameters.done():
            self.parameters.set_result(dict(target.params))

    async def result(self):
        parameters = await self.parameters
        return AuthorizationCodeResult(
            code=parameters["code"], state=parameters["state"], iss=parameters.get("iss")
        )


async def open_browser(url):
    await asyncio.create_subprocess_exec(os.environ["BROWSER"], url)


async def main(server, document=None):
    callback = Callback()
    await callback.listen()
    oauth = OAuthClientProvider(
        server_url=server,
        client_metadata=OAuthClientMetadata(
            client_name="Python SDK",
            redirect_uris=[callback.url],
            grant_types=["authorization_code", "refresh_token"],
            response_types=["code"],
            token_endpoint_auth_method="none",
        ),
        storage=Memory(),
        redirect_handler=open_browser,
        callback_handler=callback.result,
        client_metadata_url=document,
    )
    async with httpx2.AsyncClient(auth=oauth, timeout=60) as http:
        await serve_lines(lambda: Client(streamable_http_client(server, http_client=http)))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
