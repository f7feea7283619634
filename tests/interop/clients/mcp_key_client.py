"""A machine made with the MCP Python SDK, which signs its requests for tokens with a key (`private_key_jwt`)."""

import asyncio
import sys
from pathlib import Path

import httpx2
from lines import serve_lines
from mcp import Client
from mcp.client.auth.extensions.client_credentials import PrivateKeyJWTOAuthProvider, SignedJWTParameters
from mcp.client.streamable_http import streamable_http_client
from mcp_client import Memory


async def main(server, issuer, client_id, key_file, algorithm):
    assertions = SignedJWTParameters(
        issuer=client_id,
        subject=client_id,
        signing_key=Path(key_file).read_text(),
        signing_algorithm=algorithm,
    )
    oauth = PrivateKeyJWTOAuthProvider(
        server_url=server,
        storage=Memory(),
        client_id=client_id,
        assertion_provider=assertions.create_assertion_provider(),
        issuer=issuer,
    )
    async with httpx2.AsyncClient(auth=oauth, timeout=60) as http:
        await serve_lines(lambda: Client(streamable_http_client(server, http_client=http)))


asyncio.run(main(*sys.argv[1:]))
