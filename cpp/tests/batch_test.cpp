#include <doctest/doctest.h>

#include "batch.hpp"
#include "options.hpp"
#include "vectors.hpp"

namespace {

Batch load(const std::string& transferInfo) {
    const TemporaryFolder folder;
    folder.write("transfer.info", transferInfo);
    return Batch::load(folder.path());
}

coffer::Endpoint endpoint(const std::string& line) { return load(line + "\nada\nfile\n").server; }

} // namespace

TEST_CASE("batch: server, name and files") {
    const TemporaryFolder folder;
    folder.write("transfer.info", "\xEF\xBB\xBF"
                                  "example.org:1300\r\nAda L.\r\nnotes/a b \xE2\x98\x83.txt\r\n\r\n"
                                  "./x/../c\r\n../up\r\n/etc/hostname\r\n");
    const Batch batch = Batch::load(folder.path());
    CHECK(batch.server.host == "example.org");
    CHECK(batch.server.port == 1300);
    CHECK(batch.username == "Ada L.");
    CHECK_FALSE(batch.identity.has_value());
    REQUIRE(batch.files.size() == 4);
    CHECK(batch.files[0].name == "notes/a b \xE2\x98\x83.txt");
    CHECK(batch.files[0].path ==
          folder.path() / std::filesystem::u8path("notes/a b \xE2\x98\x83.txt"));
    CHECK(batch.files[1].name == "c");
    CHECK(batch.files[2].name == "up");
    CHECK(batch.files[2].path == folder.path() / "../up");
    CHECK(batch.files[3].name == "hostname");
    CHECK(batch.files[3].path == "/etc/hostname");
}

TEST_CASE("batch: hosts and ports") {
    CHECK(endpoint("localhost").port == 1256);
    CHECK(endpoint("[::1]").host == "::1");
    CHECK(endpoint("[::1]").port == 1256);
    CHECK(endpoint("[::1]:99").host == "::1");
    CHECK(endpoint("[::1]:99").port == 99);
    for (const auto* line : {":1256", "host:", "host:0", "host:65536", "host:12x", "host: 1",
                             "[::1", "[::1]99", "[]:1"}) {
        CAPTURE(line);
        CHECK_THROWS_AS(static_cast<void>(endpoint(line)), UsageError);
    }
}

TEST_CASE("batch: port.info wins") {
    const TemporaryFolder folder;
    folder.write("transfer.info", "host:1\nada\nfile\n");
    folder.write("port.info", "4711\r\n");
    CHECK(Batch::load(folder.path()).server.port == 4711);
    folder.write("port.info", "");
    CHECK_THROWS_AS(static_cast<void>(Batch::load(folder.path())), UsageError);
}

TEST_CASE("batch: me.info is who the client is, or an error") {
    const TemporaryFolder folder;
    folder.write("transfer.info", "host\nada\nfile\n");
    const coffer::Identity identity{"grace", {}, coffer::PrivateKey::generate()};
    identity.save(Batch::identityFile(folder.path()));
    const Batch batch = Batch::load(folder.path());
    REQUIRE(batch.identity.has_value());
    CHECK(batch.identity->name == "grace");
    folder.write("me.info", "grace\n");
    CHECK_THROWS_AS(static_cast<void>(Batch::load(folder.path())), UsageError);
}

TEST_CASE("batch: what makes no sense is refused") {
    const TemporaryFolder empty;
    CHECK_THROWS_AS(static_cast<void>(Batch::load(empty.path())), UsageError);
    CHECK_THROWS_AS(static_cast<void>(load("")), UsageError);
    CHECK_THROWS_AS(static_cast<void>(load("host\nada\n")), UsageError);
    CHECK_THROWS_AS(static_cast<void>(load("host\n\nfile\n")), UsageError);
    CHECK_THROWS_WITH_AS(static_cast<void>(load("host\nada\n/a/file\n/b/file\n")),
                         doctest::Contains("stored as file"), UsageError);
}
