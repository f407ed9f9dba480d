"""The control routes: traffic now, rollouts later. Mounted by the controller only; the data plane never imports it."""
