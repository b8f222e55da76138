"""What the tests share: small models, graphs and circuits, commands, contracts on chains, lies and forgeries."""
