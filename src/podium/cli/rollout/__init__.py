"""``podium rollout``: one file for each command, and what they show. Nothing here decides about a rollout.

``app.py`` is the group; ``connection.py`` talks to the controller, ``progress.py`` follows a rollout, ``picture.py``
draws it.
"""
