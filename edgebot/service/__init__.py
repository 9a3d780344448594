"""What the machine's keeper knows of the assistant: systemd, the journal and `edgebot status`."""
