#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace coffer {

using Bytes = std::vector<std::uint8_t>;

/// A view of bytes that somebody else owns: what std::span<const std::uint8_t>
/// is from C++20 on.
class ByteView {
public:
    constexpr ByteView() noexcept = default;
    constexpr ByteView(const std::uint8_t* data, std::size_t size) noexcept
        : data_(data), size_(size) {}
    // Containers of bytes are views of themselves, as they are for std::span.
    template <typename Container,
              typename = decltype(static_cast<const std::uint8_t*>(
                  std::declval<const Container&>().data()))>
    constexpr ByteView(const Container& bytes) noexcept // NOLINT(google-explicit-constructor)
        : data_(bytes.data()), size_(bytes.size()) {}

    [[nodiscard]] constexpr const std::uint8_t* data() const noexcept { return data_; }
    [[nodiscard]] constexpr std::size_t size() const noexcept { return size_; }
    [[nodiscard]] constexpr bool empty() const noexcept { return size_ == 0; }
    [[nodiscard]] constexpr const std::uint8_t* begin() const noexcept { return data_; }
    [[nodiscard]] constexpr const std::uint8_t* end() const noexcept { return data_ + size_; }
    [[nodiscard]] constexpr std::uint8_t operator[](std::size_t i) const noexcept {
        return data_[i];
    }

    [[nodiscard]] constexpr ByteView first(std::size_t count) const noexcept {
        return {data_, count};
    }
    [[nodiscard]] constexpr ByteView from(std::size_t offset) const noexcept {
        return {data_ + offset, size_ - offset};
    }

private:
    const std::uint8_t* data_ = nullptr;
    std::size_t size_ = 0;
};

} // namespace coffer
