//! Standing in front of MCP servers that know nothing of OAuth.
mod json;
mod message;
