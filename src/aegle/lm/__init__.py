"""Model files and what runs them: catalog, encoder, segmentation. No torch."""
