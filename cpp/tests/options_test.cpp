#include <doctest/doctest.h>

#include "options.hpp"

TEST_CASE("options: defaults, and both ways to give a value") {
    CHECK(Options::parse({}).rsaBits == 1024);
    CHECK(Options::parse({}).patience == std::chrono::seconds(60));
    CHECK(Options::parse({"--rsa-bits", "3072"}).rsaBits == 3072);
    const Options both = Options::parse({"--patience=0", "--rsa-bits=2048"});
    CHECK(both.patience == std::chrono::seconds(0));
    CHECK(both.rsaBits == 2048);
    CHECK(Options::parse({"--help"}).action == Options::Action::showHelp);
    CHECK(Options::parse({"--version"}).action == Options::Action::showVersion);
}

TEST_CASE("options: what makes no sense is refused") {
    using Arguments = std::vector<std::string>;
    for (const Arguments& arguments :
         {Arguments{"file"}, Arguments{"--rsa-bits"}, Arguments{"--rsa-bits", "1000"},
          Arguments{"--rsa-bits", "1e9"}, Arguments{"--patience", "-1"},
          Arguments{"--other", "1"}}) {
        CAPTURE(arguments.front());
        CHECK_THROWS_AS(static_cast<void>(Options::parse(arguments)), UsageError);
    }
}
