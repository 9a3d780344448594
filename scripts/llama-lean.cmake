# Leaves llama.cpp's command-line helpers out: edgebot loads only libllama, and they are half of
# the compile. llama-cpp-python forces them on in the cache; a plain variable comes before that.
set(LLAMA_BUILD_COMMON OFF)
