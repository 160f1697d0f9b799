# libcgotorch_cuda.so: kernels by nvcc, the rest by the C++ compiler. CUDA_DIR is a folder with bin/nvcc, include/ and lib/ or lib64/,
# as the wheels of NVIDIA's compiler or its toolkit make it; NCCL_INCLUDE one with nccl.h. EXTRA_CUDA names more sources to compile in.
set(CUDA_DIR "" CACHE PATH "folder with bin/nvcc, include/ and lib/")
set(NCCL_INCLUDE "" CACHE PATH "folder with nccl.h")
set(EXTRA_CUDA "" CACHE STRING "more .cu files")

# What runs on Ampere and Hopper; the last is what the driver compiles for later ones.
set(archs sm_80 sm_90 compute_90)
set(gencode "")
foreach(arch ${archs})
  string(REGEX REPLACE "^[a-z]+_" "" number ${arch})
  list(APPEND gencode -gencode arch=compute_${number},code=${arch})
endforeach()
string(REPLACE ";" " " archs_text "${archs}")

set(objects "")
file(GLOB cuda_sources CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/cuda/*.cu")
foreach(source ${cuda_sources} ${EXTRA_CUDA})
  get_filename_component(name "${source}" NAME)
  set(object "${CMAKE_CURRENT_BINARY_DIR}/${name}.o")
  add_custom_command(OUTPUT "${object}"
    COMMAND "${CUDA_DIR}/bin/nvcc" -std=c++${CMAKE_CXX_STANDARD} -O3 -lineinfo ${gencode} --expt-relaxed-constexpr
            -Xcompiler -fPIC,-fvisibility=hidden,-Wall -MD -MF "${object}.d" -c "${source}" -o "${object}"
    DEPENDS "${source}" DEPFILE "${object}.d" COMMENT "nvcc ${name}" VERBATIM)
  list(APPEND objects "${object}")
endforeach()

file(GLOB host_sources CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/cuda/*.cpp")
add_library(cgotorch_cuda SHARED EXCLUDE_FROM_ALL ${host_sources} ${objects})
target_compile_definitions(cgotorch_cuda PRIVATE "CGT_CUDA_ARCHS=\"${archs_text}\"")
target_include_directories(cgotorch_cuda PRIVATE "${CMAKE_CURRENT_SOURCE_DIR}" "${CMAKE_CURRENT_SOURCE_DIR}/cuda")
# What stands in for the headers of cuBLAS and the like, of which libtorch's name types only.
target_include_directories(cgotorch_cuda SYSTEM PRIVATE "${TORCH_DIR}/include" "${TORCH_DIR}/include/torch/csrc/api/include"
  "${CUDA_DIR}/include" "${NCCL_INCLUDE}" "${CMAKE_CURRENT_SOURCE_DIR}/cuda/stand_in")
target_compile_options(cgotorch_cuda PRIVATE -Wall -Wextra -Wno-unused-parameter -Wno-interference-size -fvisibility-inlines-hidden)
file(GLOB cudart "${CUDA_DIR}/lib/libcudart.so.??" "${CUDA_DIR}/lib64/libcudart.so.??")
list(GET cudart 0 cudart)
get_filename_component(cudart_dir "${cudart}" DIRECTORY)
get_filename_component(cudart_name "${cudart}" NAME)
target_link_libraries(cgotorch_cuda PRIVATE "${TORCH_DIR}/lib/libtorch_cuda.so" "${TORCH_DIR}/lib/libc10_cuda.so"
  "${TORCH_DIR}/lib/libtorch_cpu.so" "${TORCH_DIR}/lib/libc10.so" "-L${cudart_dir}" "-l:${cudart_name}")
target_link_options(cgotorch_cuda PRIVATE -Wl,--allow-shlib-undefined -Wl,-Bsymbolic -Wl,-z,lazy)
# As libtorch's own: its libraries, and NVIDIA's beside them.
set_target_properties(cgotorch_cuda PROPERTIES LIBRARY_OUTPUT_DIRECTORY "${OUTPUT_DIR}"
  BUILD_RPATH "$ORIGIN/../torch/lib;$ORIGIN/../nvidia/cu13/lib;${TORCH_DIR}/lib;${TORCH_DIR}/../nvidia/cu13/lib")
