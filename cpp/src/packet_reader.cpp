#include "packet_reader.hpp"

#include <utility>

namespace coffer {

PacketReader::PacketReader(EncryptedFile& file, std::size_t packetSize)
    : file_(file), packetSize_(packetSize), free_(ahead), thread_([this] { read(); }) {}

PacketReader::~PacketReader() {
    {
        const std::lock_guard lock(mutex_);
        stopped_ = true;
    }
    changed_.notify_all();
    thread_.join();
}

const Bytes& PacketReader::next() {
    std::unique_lock lock(mutex_);
    if (!current_.empty()) {
        free_.push_back(std::move(current_));
        changed_.notify_all();
    }
    changed_.wait(lock, [this] { return !ready_.empty() || failure_; });
    if (ready_.empty()) {
        std::rethrow_exception(failure_);
    }
    current_ = std::move(ready_.front());
    ready_.pop_front();
    return current_;
}

void PacketReader::read() {
    try {
        readAll();
    } catch (...) {
        const std::lock_guard lock(mutex_);
        failure_ = std::current_exception();
        changed_.notify_all();
    }
}

void PacketReader::readAll() {
    for (std::uint64_t left = file_.ciphertextSize(); left > 0;) {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return !free_.empty() || stopped_; });
        if (stopped_) {
            return;
        }
        Bytes packet = std::move(free_.back());
        free_.pop_back();
        lock.unlock();

        file_.read(packet, packetSize_);
        left -= packet.size();

        lock.lock();
        ready_.push_back(std::move(packet));
        changed_.notify_all();
    }
}

} // namespace coffer
