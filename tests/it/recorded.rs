//! The recorded requests of real clients, replayed over a real socket: discovery, registration, authorization, token and
//! refresh, each in the client's own order and spelling, and each answer held to what that client's reader demands.
//!
//! A client is data, in a file of its own; [`story`] tells the same story of all of them. Each says which version it is
//! of, and whether it was seen on the wire or read from the source. The servers that they ask for are the fixtures'.

mod chatgpt;
mod claude;
mod claude_code;
mod codex;
mod cursor;
mod documents;
mod gemini_cli;
mod lm_studio;
mod open_webui;
mod python_sdk;
mod smithery;
mod story;
mod vs_code;
