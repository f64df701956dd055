#include <doctest/doctest.h>

#include "progress.hpp"

using std::chrono::seconds;

TEST_CASE("progress: bar, rate and time left") {
    CHECK(ProgressBar::line(0, 100, seconds(0)) == "[..............................]   0 %");
    CHECK(ProgressBar::line(1U << 30U, 1ULL << 32U, seconds(10)) ==
          "[#######.......................]  25 %  102 MiB/s  0:30 left");
    CHECK(ProgressBar::line(100, 100, seconds(1)) ==
          "[##############################] 100 %  100 B/s  0:00 left");
    CHECK(ProgressBar::line(1U << 20U, 1ULL << 32U, seconds(2)) ==
          "[..............................]   0 %  512 KiB/s  2:16:30 left");
}

TEST_CASE("progress: sizes for people") {
    CHECK(formatSize(0) == "0 B");
    CHECK(formatSize(1023) == "1023 B");
    CHECK(formatSize(1536) == "1.5 KiB");
    CHECK(formatSize(100 << 20) == "100 MiB");
    CHECK(formatSize(3.0 * (1 << 30)) == "3.0 GiB");
}

TEST_CASE("progress: checksums for people") {
    CHECK(formatChecksum(0) == "0 (0x00000000)");
    CHECK(formatChecksum(6699) == "6699 (0x00001a2b)");
    CHECK(formatChecksum(0xFFFF'FFFF) == "4294967295 (0xffffffff)");
}
