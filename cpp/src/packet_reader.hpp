#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#include "coffer/bytes.hpp"
#include "encrypted_file.hpp"

namespace coffer {

/// Reads and encrypts the packets of a file in a thread, some ahead of the one
/// that is being sent: neither waits for the other, as long as both go on.
class PacketReader {
public:
    /// The file must outlive the reader, which has it for itself until the last
    /// packet was taken.
    PacketReader(EncryptedFile& file, std::size_t packetSize);
    PacketReader(const PacketReader&) = delete;
    PacketReader& operator=(const PacketReader&) = delete;
    ~PacketReader();

    /// The content of the next packet; good until the next call, which must be
    /// for a packet that there is. Throws FileError.
    [[nodiscard]] const Bytes& next();

private:
    void read();
    void readAll();

    static constexpr std::size_t ahead = 8;

    EncryptedFile& file_; // the thread's
    const std::size_t packetSize_;

    Bytes current_; // the caller's

    std::mutex mutex_; // guards what follows
    std::condition_variable changed_;
    std::deque<Bytes> ready_;
    std::vector<Bytes> free_; // buffers to use again
    std::exception_ptr failure_;
    bool stopped_ = false; // nobody will take more

    std::thread thread_;
};

} // namespace coffer
