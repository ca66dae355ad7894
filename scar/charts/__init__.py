"""Pictures of figures, drawn with Pillow for a phone."""
