"""`make demo`: the main job on a real cluster, shown step by step."""
