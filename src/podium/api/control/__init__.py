"""The control routes: traffic and rollouts. Mounted by the controller only; the data plane never imports it."""
