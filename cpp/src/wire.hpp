#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

#include "coffer/bytes.hpp"

namespace coffer {

/// Appends fields to a message. Integers are little-endian.
class Writer {
public:
    explicit Writer(std::size_t expected) { out_.reserve(expected); }

    void u8(std::uint8_t v) { out_.push_back(v); }
    void u16(std::uint16_t v) { integer(v, 2); }
    void u32(std::uint32_t v) { integer(v, 4); }
    void bytes(ByteView v) { out_.insert(out_.end(), v.begin(), v.end()); }

    [[nodiscard]] Bytes take() noexcept { return std::move(out_); }

private:
    void integer(std::uint32_t v, int size) {
        for (int i = 0; i < size; ++i, v >>= 8U) {
            u8(static_cast<std::uint8_t>(v & 0xFFU));
        }
    }

    Bytes out_;
};

/// Takes fields from a message. Reading beyond the end gives zeros, and from
/// then on complete() is false, so that a decoder checks once, at its end.
class Reader {
public:
    explicit Reader(ByteView in) noexcept : in_(in) {}

    [[nodiscard]] std::uint8_t u8() noexcept { return static_cast<std::uint8_t>(integer(1)); }
    [[nodiscard]] std::uint16_t u16() noexcept { return static_cast<std::uint16_t>(integer(2)); }
    [[nodiscard]] std::uint32_t u32() noexcept { return integer(4); }

    template <std::size_t size> [[nodiscard]] std::array<std::uint8_t, size> array() noexcept {
        std::array<std::uint8_t, size> v{};
        const ByteView field = take(size);
        std::copy(field.begin(), field.end(), v.begin());
        return v;
    }
    [[nodiscard]] Bytes rest() {
        const ByteView field = take(in_.size());
        return {field.begin(), field.end()};
    }

    /// Whether every field was there, and nothing is left.
    [[nodiscard]] bool complete() const noexcept { return !short_ && in_.empty(); }

private:
    ByteView take(std::size_t size) noexcept {
        if (size > in_.size()) {
            short_ = true;
            in_ = {};
            return {};
        }
        const ByteView field = in_.first(size);
        in_ = in_.from(size);
        return field;
    }
    std::uint32_t integer(std::size_t size) noexcept {
        const ByteView field = take(size);
        std::uint32_t v = 0;
        for (std::size_t i = field.size(); i > 0; --i) {
            v = v << 8U | field[i - 1];
        }
        return v;
    }

    ByteView in_;
    bool short_ = false;
};

} // namespace coffer
