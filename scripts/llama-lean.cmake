# Read by CMake when llama.cpp's own project begins.

# Leaves out llama.cpp's command-line helpers: edgebot loads only libllama, and they are half of
# the compile. llama-cpp-python forces them on in the cache; a plain variable comes before that.
set(LLAMA_BUILD_COMMON OFF)

# Leaves out AMX, the matrix unit of Intel's servers: in virtual machines that announce it, its
# instructions can be refused, and the process dies. No other processor defines this macro.
add_compile_options(-U__AMX_INT8__)
