// Memory from the caller's hooks, aligned.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "seminar/runtime/model.h"

namespace seminar::runtime {
namespace {

constexpr std::size_t alignment = 64;

void* malloc_hook(void*, std::size_t bytes) { return std::malloc(bytes); }
void free_hook(void*, void* memory) { std::free(memory); }

}  // namespace

seminar_status Memory::use(const seminar_allocator* allocator) {
  if (!allocator)
    hooks_ = {malloc_hook, free_hook, nullptr};
  else if (allocator->allocate && allocator->release)
    hooks_ = *allocator;
  else
    return failed(SEMINAR_BAD_ARGUMENT, "allocator: a function is null");
  return SEMINAR_OK;
}

void* Memory::take(uint64_t bytes) const {
  if (bytes > SIZE_MAX - alignment) return nullptr;
  // The byte before what is handed out tells how far it was moved.
  std::byte* memory =
      static_cast<std::byte*>(hooks_.allocate(hooks_.context, static_cast<std::size_t>(bytes) + alignment));
  if (!memory) return nullptr;
  const std::size_t moved = alignment - reinterpret_cast<uintptr_t>(memory) % alignment;
  memory[moved - 1] = static_cast<std::byte>(moved);
  return memory + moved;
}

void Memory::give(void* memory) const {
  if (!memory) return;
  std::byte* at = static_cast<std::byte*>(memory);
  hooks_.release(hooks_.context, at - std::to_integer<std::size_t>(at[-1]));
}

}  // namespace seminar::runtime
