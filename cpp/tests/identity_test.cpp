#include <algorithm>

#include <doctest/doctest.h>

#include "coffer/error.hpp"
#include "coffer/identity.hpp"
#include "vectors.hpp"

using coffer::Identity;

namespace {

Identity make() {
    Identity identity{"Zoë and co", {}, coffer::PrivateKey::generate()};
    identity.client[0] = 0x0A;
    identity.client[15] = 0xFF;
    return identity;
}

} // namespace

TEST_CASE("identity: saved for the owner alone, and read back") {
    const TemporaryFolder folder;
    const auto file = folder.path() / "me.info";
    const Identity identity = make();
    identity.save(file);
    identity.save(file); // replaces it
#ifndef _WIN32
    using std::filesystem::perms;
    CHECK(std::filesystem::status(file).permissions() == (perms::owner_read | perms::owner_write));
#endif
    const Identity loaded = Identity::load(file);
    CHECK(loaded.name == identity.name);
    CHECK(loaded.client == identity.client);
    CHECK(loaded.key.toDer() == identity.key.toDer());
    CHECK(std::distance(std::filesystem::directory_iterator(folder.path()), {}) == 1);
}

TEST_CASE("identity: three lines, the second 32 hex digits, the third base64") {
    const std::string text = make().format();
    CHECK(std::count(text.begin(), text.end(), '\n') == 3);
    CHECK(text.find("\n0a0000000000000000000000000000ff\n") != std::string::npos);
}

TEST_CASE("identity: files of other systems and earlier clients are read") {
    const Identity identity = make();
    std::string text = identity.format();
    text.insert(text.size() - 100, "\n"); // base64 in several lines
    std::string windows = "\xEF\xBB\xBF";
    for (const char c : text) {
        windows += c == '\n' ? "\r\n" : std::string(1, c);
    }
    const Identity loaded = Identity::parse(windows + "\r\n");
    CHECK(loaded.name == identity.name);
    CHECK(loaded.client == identity.client);
    CHECK(loaded.key.toDer() == identity.key.toDer());
}

TEST_CASE("identity: what is none is refused, and not shown") {
    const std::string id = "000102030405060708090a0b0c0d0e0f";
    for (const std::string& text :
         {std::string(), std::string("name\n"), "name\n" + id + "\n", "name\n" + id + "00\nMII=\n",
          std::string("name\nxx0102030405060708090a0b0c0d0e0f\nMII=\n"), "\n" + id + "\nMII=\n",
          "name\n" + id + "\nMIIsecret\n"}) {
        CAPTURE(text);
        const TemporaryFolder folder;
        const auto file = folder.write("me.info", text);
        try {
            static_cast<void>(Identity::load(file));
            FAIL("it was taken");
        } catch (const coffer::Error& e) {
            CHECK(std::string(e.what()).find("me.info") != std::string::npos);
            CHECK(std::string(e.what()).find("0102030405") == std::string::npos);
            CHECK(std::string(e.what()).find("secret") == std::string::npos);
        }
    }
}
