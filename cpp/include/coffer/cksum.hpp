#pragma once

#include <cstdint>

#include "coffer/bytes.hpp"

namespace coffer {

/// The checksum of the POSIX cksum utility, by which the protocol compares
/// plaintexts (docs/protocol.md, "Base requests"): CRC-32 with polynomial
/// 0x04C11DB7, most significant bit first, starting at 0; after the content
/// come the bytes of its length, least significant first and without leading
/// zeros, and the result is complemented. It finds accidents, not attackers.
class Cksum {
public:
    void update(ByteView content) noexcept;
    /// The checksum of what there was so far. More may follow.
    [[nodiscard]] std::uint32_t value() const noexcept;
    /// How many bytes there were so far.
    [[nodiscard]] std::uint64_t length() const noexcept { return length_; }

private:
    std::uint32_t crc_ = 0; // of the content alone, neither length nor complement applied
    std::uint64_t length_ = 0;
};

} // namespace coffer
