"""How fast is it, here? Questions through the whole pipeline, beside the bare engines."""
