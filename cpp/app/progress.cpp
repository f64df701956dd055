#include "progress.hpp"

#include <array>
#include <cmath>
#include <cstdio>
#include <iomanip>
#include <iostream>
#include <sstream>

#ifdef _WIN32
#include <io.h>
#else
#include <unistd.h>
#endif

namespace {

constexpr std::size_t barWidth = 30;
constexpr auto interval = std::chrono::milliseconds(100);

bool errorIsTerminal() {
#ifdef _WIN32
    return _isatty(_fileno(stderr)) != 0;
#else
    return ::isatty(STDERR_FILENO) == 1;
#endif
}

std::string formatTime(double seconds) {
    constexpr double longest = 99 * 3600;
    if (seconds > longest) {
        return "--:--";
    }
    const auto whole = std::lround(seconds);
    std::ostringstream text;
    text << std::setfill('0');
    if (whole >= 3600) {
        text << whole / 3600 << ':' << std::setw(2);
    }
    text << whole / 60 % 60 << ':' << std::setw(2) << whole % 60;
    return text.str();
}

} // namespace

std::string formatSize(double bytes) {
    constexpr std::array units{"B", "KiB", "MiB", "GiB"};
    std::size_t unit = 0;
    for (; bytes >= 1024 && unit + 1 < units.size(); ++unit) {
        bytes /= 1024;
    }
    std::ostringstream text;
    text << std::fixed << std::setprecision(unit > 0 && bytes < 9.95 ? 1 : 0) << bytes << ' '
         << units.at(unit);
    return text.str();
}

std::string formatChecksum(std::uint32_t sum) {
    std::ostringstream text;
    text << sum << " (0x" << std::hex << std::setw(8) << std::setfill('0') << sum << ')';
    return text.str();
}

ProgressBar::ProgressBar() : onTerminal_(errorIsTerminal()) {}

void ProgressBar::show(std::uint64_t done, std::uint64_t total) {
    if (!onTerminal_) {
        return;
    }
    const auto now = Clock::now();
    if (done_ == 0 || done < done_) {
        began_ = now;
        due_ = now + interval; // what is done at once needs no bar
    }
    done_ = done;
    if (now < due_) {
        return;
    }
    due_ = now + interval;
    const std::string text = line(done, total, now - began_);
    const std::size_t rest = drawn_ > text.size() ? drawn_ - text.size() : 0;
    drawn_ = text.size();
    std::cerr << '\r' << text << std::string(rest, ' ') << std::flush;
}

void ProgressBar::clear() {
    if (drawn_ > 0) {
        std::cerr << '\r' << std::string(drawn_, ' ') << '\r' << std::flush;
    }
    drawn_ = 0;
    done_ = 0;
}

std::string ProgressBar::line(std::uint64_t done, std::uint64_t total,
                              std::chrono::duration<double> elapsed) {
    const double part = total == 0 ? 1 : static_cast<double>(done) / static_cast<double>(total);
    const auto filled = static_cast<std::size_t>(part * barWidth);
    std::ostringstream text;
    text << '[' << std::string(filled, '#') << std::string(barWidth - filled, '.') << "] "
         << std::setw(3) << static_cast<int>(part * 100) << " %";
    if (elapsed.count() > 0 && done > 0) {
        const double rate = static_cast<double>(done) / elapsed.count();
        text << "  " << formatSize(rate) << "/s  "
             << formatTime(static_cast<double>(total - done) / rate) << " left";
    }
    return text.str();
}
