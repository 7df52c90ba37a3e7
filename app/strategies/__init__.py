"""The Strategy protocol, indicators, the loader, and the strategies that come with Onetape."""
