#include "coffer/cksum.hpp"

#include <array>
#include <cstddef>

namespace coffer {
namespace {

constexpr std::uint32_t polynomial = 0x04C11DB7;
constexpr std::size_t stride = 16;

using Table = std::array<std::uint32_t, 256>;

/// tables[k][b] is the CRC of byte b followed by k zero bytes: with all of them,
/// stride bytes are taken in one step, by look-ups that do not wait for one
/// another.
constexpr std::array<Table, stride> makeTables() {
    std::array<Table, stride> tables{};
    for (std::uint32_t b = 0; b < 256; ++b) {
        std::uint32_t crc = b << 24U;
        for (int bit = 0; bit < 8; ++bit) {
            crc = (crc << 1U) ^ ((crc >> 31U) != 0 ? polynomial : 0U);
        }
        tables[0][b] = crc;
    }
    for (std::size_t k = 1; k < stride; ++k) {
        for (std::size_t b = 0; b < 256; ++b) {
            const std::uint32_t before = tables[k - 1][b];
            tables[k][b] = (before << 8U) ^ tables[0][before >> 24U];
        }
    }
    return tables;
}

constexpr auto tables = makeTables();

constexpr std::uint32_t addByte(std::uint32_t crc, std::uint8_t byte) {
    return (crc << 8U) ^ tables[0][(crc >> 24U) ^ byte];
}

std::uint32_t addStride(std::uint32_t crc, const std::uint8_t* p) {
    // The first four bytes meet the CRC so far, the others only themselves.
    std::uint32_t next =
        tables[15][p[0] ^ (crc >> 24U)] ^ tables[14][p[1] ^ ((crc >> 16U) & 0xFFU)] ^
        tables[13][p[2] ^ ((crc >> 8U) & 0xFFU)] ^ tables[12][p[3] ^ (crc & 0xFFU)];
    for (std::size_t i = 4; i < stride; ++i) {
        next ^= tables[stride - 1 - i][p[i]];
    }
    return next;
}

} // namespace

void Cksum::update(ByteView content) noexcept {
    length_ += content.size();
    const std::uint8_t* p = content.begin();
    std::uint32_t crc = crc_;
    for (std::size_t n = content.size() / stride; n > 0; --n, p += stride) {
        crc = addStride(crc, p);
    }
    for (; p != content.end(); ++p) {
        crc = addByte(crc, *p);
    }
    crc_ = crc;
}

std::uint32_t Cksum::value() const noexcept {
    std::uint32_t crc = crc_;
    for (std::uint64_t rest = length_; rest != 0; rest >>= 8U) {
        crc = addByte(crc, static_cast<std::uint8_t>(rest & 0xFFU));
    }
    return ~crc;
}

} // namespace coffer
