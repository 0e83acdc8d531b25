"""Transport between services: servers, channels, tokens, status and telemetry of every gRPC call."""
