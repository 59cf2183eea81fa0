"""Questions and answers over the wire: within the limits, over TLS, again where that helps, no key in any text."""
