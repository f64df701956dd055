// Command coffer-cpp sends files to a Coffer server, as the files in its working
// directory say; see cpp/README.md.

#include <algorithm>
#include <chrono>
#include <exception>
#include <filesystem>
#include <iomanip>
#include <iostream>
#include <string>
#include <vector>

#ifdef _WIN32
#include <windows.h>
#endif

#include "batch.hpp"
#include "coffer/error.hpp"
#include "coffer/session.hpp"
#include "options.hpp"
#include "progress.hpp"

namespace {

enum ExitCode : int {
    exitDone = 0,
    exitUnexpected = 1,
    exitUsage = 2,
    exitUnreachable = 3,
    exitRefused = 4,
    exitChecksum = 5,
    exitFile = 6,
    exitProtocol = 7,
};

void complain(const std::string& what) { std::cerr << "coffer-cpp: " << what << std::endl; }

/// Says what a session does, and keeps the identity it gets.
class Reporter : public coffer::Observer {
public:
    explicit Reporter(std::filesystem::path identityFile)
        : identityFile_(std::move(identityFile)) {}

    void registering(const coffer::Identity& identity) override { identity.save(identityFile_); }
    void refused() override {
        std::error_code ignored; // a key that nobody knows harms nothing
        std::filesystem::remove(identityFile_, ignored);
    }
    void registered(const coffer::Identity& identity) override {
        identity.save(identityFile_);
        say("registered " + identity.name + "; the private key is in " +
            identityFile_.filename().u8string() + ": without it nothing can be restored");
    }
    void sent(std::uint64_t bytes, std::uint64_t total) override { bar_.show(bytes, total); }
    void sendsAgain(const coffer::Error& why) override {
        warn(std::string(why.what()) + "; sending it again");
    }
    void reconnects(const coffer::ConnectionError& why, std::chrono::milliseconds wait) override {
        std::ostringstream text;
        text << why.what() << "; trying again in " << std::fixed << std::setprecision(1)
             << std::chrono::duration<double>(wait).count() << " s";
        warn(text.str());
    }

    void say(const std::string& what) {
        bar_.clear();
        std::cout << what << std::endl;
    }
    void warn(const std::string& what) {
        bar_.clear();
        complain(what);
    }

private:
    std::filesystem::path identityFile_;
    ProgressBar bar_;
};

/// Runs f and returns an exit code that says how it ended.
template <typename F> int guarded(const F& f, const std::string& about) {
    try {
        f();
        return exitDone;
    } catch (const UsageError& e) {
        complain(about + e.what());
        return exitUsage;
    } catch (const coffer::ConnectionError& e) {
        complain(about + e.what());
        return exitUnreachable;
    } catch (const coffer::RefusedError& e) {
        complain(about + e.what());
        return exitRefused;
    } catch (const coffer::NameRefusedError& e) {
        complain(about + e.what());
        return exitRefused;
    } catch (const coffer::ChecksumError& e) {
        complain(about + e.what() + "; given up");
        return exitChecksum;
    } catch (const coffer::FileError& e) {
        complain(about + e.what());
        return exitFile;
    } catch (const coffer::ProtocolError& e) {
        complain(about + e.what());
        return exitProtocol;
    } catch (const std::exception& e) {
        complain(about + e.what());
        return exitUnexpected;
    }
}

void store(coffer::Session& session, const Batch::File& file, Reporter& reporter) {
    const coffer::Stored stored = session.store(file.path, file.name);
    reporter.say("stored " + file.name + ": " + formatSize(stored.size) + ", cksum " +
                 formatChecksum(stored.cksum) + ", verified");
}

/// Whether the next file may do better after this one's exit code.
bool isOfFileAlone(int code) {
    return code == exitFile || code == exitChecksum || code == exitRefused;
}

int run(const Options& options) {
    const std::filesystem::path folder; // the working directory
    Batch batch = Batch::load(folder);
    Reporter reporter(Batch::identityFile(folder));
    if (batch.identity && batch.identity->name != batch.username) {
        reporter.warn("me.info says " + batch.identity->name + ", transfer.info " + batch.username +
                      ": going on as " + batch.identity->name);
    }

    coffer::Session::Settings settings{batch.server, {}, {}};
    settings.patience.unreachable = options.patience;
    coffer::Session session(settings, {batch.username, batch.identity, options.rsaBits}, reporter);
    session.signIn();
    int result = exitDone;
    for (const Batch::File& file : batch.files) {
        const int code = guarded([&] { store(session, file, reporter); }, file.name + ": ");
        if (result == exitDone) {
            result = code; // the first failure is what is told
        }
        if (code != exitDone && !isOfFileAlone(code)) {
            break;
        }
    }
    return result;
}

} // namespace

int main(int argc, char** argv) {
#ifdef _WIN32
    SetConsoleOutputCP(CP_UTF8);
#endif
    int code = exitDone;
    const int failed = guarded(
        [&] {
            const Options options = Options::parse({argv + std::min(argc, 1), argv + argc});
            switch (options.action) {
            case Options::Action::showHelp:
                std::cout << Options::help();
                break;
            case Options::Action::showVersion:
                std::cout << "coffer-cpp " << COFFER_VERSION << '\n';
                break;
            case Options::Action::run:
                code = run(options);
                break;
            }
        },
        "");
    return failed == exitDone ? code : failed;
}
