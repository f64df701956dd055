#include "options.hpp"

#include <charconv>

namespace {

unsigned parseNumber(const std::string& flag, const std::string& text, unsigned least,
                     unsigned most) {
    unsigned value = 0;
    const char* end = text.data() + text.size();
    const auto [parsed, error] = std::from_chars(text.data(), end, value);
    if (error != std::errc() || parsed != end || value < least || value > most) {
        throw UsageError(flag + " wants a number from " + std::to_string(least) + " to " +
                         std::to_string(most));
    }
    return value;
}

} // namespace

Options Options::parse(const std::vector<std::string>& arguments) {
    constexpr unsigned aWeek = 7 * 24 * 3600;
    Options options;
    for (std::size_t i = 0; i < arguments.size(); ++i) {
        std::string flag = arguments[i];
        if (flag == "--help" || flag == "-h") {
            options.action = Action::showHelp;
            return options;
        }
        if (flag == "--version") {
            options.action = Action::showVersion;
            return options;
        }
        if (flag.rfind("--", 0) != 0) {
            throw UsageError(flag + " is not expected: what to send is in transfer.info");
        }
        std::string value;
        if (const auto equals = flag.find('='); equals != std::string::npos) {
            value = flag.substr(equals + 1);
            flag.resize(equals);
        } else if (i + 1 < arguments.size()) {
            value = arguments[++i];
        }
        if (flag == "--rsa-bits") {
            options.rsaBits =
                parseNumber(flag, value, coffer::PrivateKey::minBits, coffer::PrivateKey::maxBits);
        } else if (flag == "--patience") {
            options.patience = std::chrono::seconds(parseNumber(flag, value, 0, aWeek));
        } else {
            throw UsageError("there is no flag " + flag);
        }
    }
    return options;
}

const char* Options::help() noexcept {
    return R"(usage: coffer-cpp [--rsa-bits N] [--patience SECONDS]

Sends the files that transfer.info in the working directory names to a Coffer
server, encrypted, and checks that they arrived.

  transfer.info   line 1 host:port, line 2 the username, then one file a line
  me.info         who this client is; made when it registers. Its private key
                  opens what is stored: keep it
  port.info       one line: the port, in place of the one in transfer.info

  --rsa-bits N         size of the key that is made when the client registers,
                       from 1024 (the default) to 4096
  --patience SECONDS   how long to go on when the server cannot be reached,
                       60 by default
  --version            shows the version
  --help               shows this

Exit codes:
  0  every file was stored and verified
  1  something unexpected
  2  the command line, transfer.info, me.info or port.info makes no sense
  3  the server could not be reached, or the connection broke too often
  4  the server refused: the name is taken (1601), or it cannot serve (1607)
  5  the checksum was wrong every time (1031)
  6  a file here cannot be read or written
  7  the server's answer was none that the protocol allows
)";
}
