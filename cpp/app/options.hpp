#pragma once

#include <chrono>
#include <stdexcept>
#include <string>
#include <vector>

#include "coffer/keys.hpp"

/// The command line of coffer-cpp.
struct Options {
    enum class Action { run, showHelp, showVersion };

    Action action = Action::run;
    unsigned rsaBits = coffer::PrivateKey::defaultBits;
    std::chrono::seconds patience{60};

    /// Throws UsageError.
    [[nodiscard]] static Options parse(const std::vector<std::string>& arguments);
    [[nodiscard]] static const char* help() noexcept;
};

/// The command line, or a file that stands for it, makes no sense.
class UsageError : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};
