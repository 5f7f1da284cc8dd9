"""PostgreSQL: parts are streamed through the client by COPY."""
