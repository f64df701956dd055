#include <doctest/doctest.h>

#include "coffer/cksum.hpp"
#include "vectors.hpp"

TEST_CASE("cksum: what GNU cksum says, at once and in pieces of any size") {
    for (const auto& [length, want] : Vectors::of("cksum")) {
        CAPTURE(length);
        const coffer::Bytes content = Vectors::content(std::stoul(length));
        for (const std::size_t piece : {content.size() + 1, std::size_t{1}, std::size_t{7},
                                        std::size_t{16}, std::size_t{1000}}) {
            coffer::Cksum cksum;
            const coffer::ByteView all(content);
            for (std::size_t at = 0; at < all.size(); at += piece) {
                cksum.update(all.from(at).first(std::min(piece, all.size() - at)));
            }
            CHECK(cksum.length() == content.size());
            CHECK(std::to_string(cksum.value()) == want);
        }
    }
}
