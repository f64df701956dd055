#pragma once

#include <chrono>
#include <cstdint>
#include <string>

/// One line on a terminal (standard error) that is drawn over and over: a bar,
/// the rate, the time left. Where there is no terminal it is silent.
class ProgressBar {
public:
    ProgressBar();
    ProgressBar(const ProgressBar&) = delete;
    ProgressBar& operator=(const ProgressBar&) = delete;
    ~ProgressBar() { clear(); }

    void show(std::uint64_t done, std::uint64_t total);
    /// Takes the line away, so that something else can be said.
    void clear();

    /// The line, for a time since the first byte.
    [[nodiscard]] static std::string line(std::uint64_t done, std::uint64_t total,
                                          std::chrono::duration<double> elapsed);

private:
    using Clock = std::chrono::steady_clock;

    bool onTerminal_;
    std::size_t drawn_ = 0;   // length of the line that is there
    std::uint64_t done_ = 0;  // as last shown: less means a new beginning
    Clock::time_point began_; // of the file, or of this attempt
    Clock::time_point due_;   // when the line is drawn next
};

/// A number of bytes for people: 1.5 GiB.
[[nodiscard]] std::string formatSize(double bytes);

/// A checksum for people, as the other clients write it: in decimal, as cksum
/// prints it, and in hexadecimal.
[[nodiscard]] std::string formatChecksum(std::uint32_t sum);
