"""What drawn clips are made of: textures, shapes, motion, scenes, and how they become pixels."""
