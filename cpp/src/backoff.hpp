#pragma once

#include <algorithm>
#include <chrono>
#include <random>

namespace coffer {

/// Waits that double up to a longest, each shortened by up to a half at random:
/// clients that lost their server together do not come back together.
class Backoff {
public:
    using Wait = std::chrono::milliseconds;

    Backoff(Wait first, Wait longest) : next_(first), longest_(longest) {}

    /// The next wait, which the caller takes.
    [[nodiscard]] Wait next() {
        std::uniform_int_distribution<Wait::rep> part(next_.count() / 2, next_.count());
        const Wait wait(part(random_));
        next_ = std::min(next_ * 2, longest_);
        return wait;
    }

private:
    Wait next_;
    Wait longest_;
    std::minstd_rand random_{std::random_device{}()};
};

} // namespace coffer
