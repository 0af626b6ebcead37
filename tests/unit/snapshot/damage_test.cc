// Files that are not what they should be: each kind is told apart, and none does harm.
#include <functional>
#include <random>

#include <gtest/gtest.h>

#include "snapshot/envelope.h"
#include "snapshot/message.h"
#include "snapshot/snapshot.h"
#include "tests/unit/snapshot/story.h"

namespace ct {
namespace {

std::string Good() {
  const testing::Told told = testing::Everything();
  return Encode(told.observation, told.findings);
}

std::string ErrorOf(std::string_view bytes) {
  const auto read = Decode(bytes);
  return read ? "no error" : read.error().message;
}

// A file whose checksum is right and whose contents are not.
std::string Forged(const std::function<void(pb::Snapshot&)>& change) {
  const testing::Told told = testing::Everything();
  pb::Snapshot message = ToMessage(told.observation, told.findings);
  change(message);
  std::string file = message.SerializeAsString();
  AppendTrailer(file);
  return file;
}

TEST(Damage, AnEmptyFile) { EXPECT_EQ(ErrorOf(""), "empty file"); }

TEST(Damage, AForeignFile) {
  const std::string foreign = "not a concurrency-tracer snapshot";
  EXPECT_EQ(ErrorOf("\x7f"
                    "ELF\x02\x01\x01"),
            foreign);
  EXPECT_EQ(ErrorOf("{\"strings\": []}"), foreign);
  EXPECT_EQ(ErrorOf(std::string(1 << 16, '\0')), foreign);
  std::string line_ends_translated = Good();
  line_ends_translated.erase(7, 1);
  EXPECT_EQ(ErrorOf(line_ends_translated), foreign);
}

TEST(Damage, TruncatedAnywhere) {
  const std::string good = Good();
  for (std::size_t length = 1; length < good.size(); ++length) {
    const std::string error = ErrorOf(std::string_view(good).substr(0, length));
    EXPECT_EQ(error.rfind("truncated: the end is missing; there are " + std::to_string(length) +
                              " bytes with ",
                          0),
              0U)
        << length << ": " << error;
  }
}

TEST(Damage, TruncatedTellsHowMuchIsThere) {
  std::string file = Forged([](pb::Snapshot&) {});
  const std::string cut = file.substr(0, file.size() - 5);
  EXPECT_EQ(ErrorOf(cut), "truncated: the end is missing; there are " + std::to_string(cut.size()) +
                              " bytes with 13 threads, 12 waits and 2 findings");
}

TEST(Damage, EveryFlippedBitIsNoticed) {
  const std::string good = Good();
  for (std::size_t bit = 0; bit < 8 * good.size(); ++bit) {
    std::string bad = good;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << (bit % 8)));
    EXPECT_NE(ErrorOf(bad), "no error") << "bit " << bit;
  }
}

// With the checksum made right again only the checks of the contents are left: anything may come
// out of them, but no crash and no index that leads out of its table.
TEST(Damage, FlippedBitsWithARightChecksumDoNoHarm) {
  const testing::Told told = testing::Everything();
  const std::string good = ToMessage(told.observation, told.findings).SerializeAsString();
  std::mt19937 random(977);
  for (int round = 0; round < 5000; ++round) {
    std::string bad = good;
    for (int flips = 0; flips < 3; ++flips) {
      const std::size_t bit = random() % (8 * bad.size());
      bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << (bit % 8)));
    }
    AppendTrailer(bad);
    const auto read = Decode(bad);
    if (!read) continue;
    const auto actors = static_cast<ActorIndex>(read->observation.actors.size());
    for (const Wait& wait : read->observation.waits) ASSERT_LT(wait.actor, actors);
    for (const Finding& finding : read->findings) {
      for (const ActorIndex member : finding.members) ASSERT_LT(member, actors);
    }
  }
}

TEST(Damage, TheChecksum) {
  std::string bad = Good();
  bad[bad.size() / 2] = static_cast<char>(bad[bad.size() / 2] + 1);
  EXPECT_EQ(ErrorOf(bad), "damaged: the checksum does not match the contents");
}

TEST(Damage, RowsThatReferToNothing) {
  EXPECT_EQ(ErrorOf(Forged([](auto& file) { file.mutable_waits(0)->set_actor(13); })),
            "malformed: row 13 of 13 in actors");
  EXPECT_EQ(ErrorOf(Forged([](auto& file) { file.mutable_waits(0)->set_actor(-1); })),
            "malformed: row 4294967295 of 13 in actors");
  EXPECT_EQ(ErrorOf(Forged([](auto& file) { file.mutable_holds(0)->set_resource(9); })),
            "malformed: row 9 of 1 in resources");
  EXPECT_EQ(ErrorOf(Forged([](auto& file) { file.mutable_holds(0)->set_acquired_at(77); })),
            "malformed: row 77 of 3 in stacks");
  EXPECT_EQ(ErrorOf(Forged([](auto& file) { file.mutable_actors(2)->set_process(1); })),
            "malformed: row 1 of 1 in processes");
  EXPECT_EQ(ErrorOf(Forged([](auto& file) { file.mutable_actors(2)->set_user_stack(4); })),
            "malformed: row 4 of 3 in stacks");
  EXPECT_EQ(ErrorOf(Forged([](auto& file) { file.mutable_stacks(0)->add_frames(1000); })),
            "malformed: row 1000 of 9 in frames");
  EXPECT_EQ(ErrorOf(Forged([](auto& file) { file.mutable_frames(1)->set_module(1000); })),
            "malformed: row 1000 of 3 in modules");
  EXPECT_EQ(ErrorOf(Forged([](auto& file) { file.mutable_frames(1)->set_function(1000); })),
            "malformed: row 1000 of 9 in functions");
  EXPECT_EQ(ErrorOf(Forged([](auto& file) { file.mutable_findings(0)->add_members(13); })),
            "malformed: row 13 of 13 in actors");
  EXPECT_EQ(ErrorOf(Forged([](auto& file) { file.mutable_findings(0)->add_ring()->set_wait(12); })),
            "malformed: row 12 of 12 in waits");
  EXPECT_EQ(ErrorOf(Forged([](auto& file) { file.mutable_findings(0)->set_root(13); })),
            "malformed: row 13 of 13 in actors");
}

TEST(Damage, ContentionThatRefersToNothing) {
  const auto error = [](const std::function<void(pb::LockContention&)>& change) {
    return ErrorOf(Forged([&](auto& file) { change(*file.mutable_lock_contention(0)); }));
  };
  EXPECT_EQ(error([](auto&) {}), "no error");
  EXPECT_EQ(error([](auto& lock) { lock.set_resource(1); }), "malformed: row 1 of 1 in resources");
  EXPECT_EQ(error([](auto& lock) { lock.set_process(1); }), "malformed: row 1 of 1 in processes");
  EXPECT_EQ(error([](auto& lock) { lock.mutable_stacks(1)->set_stack(3); }),
            "malformed: row 3 of 3 in stacks");
  EXPECT_EQ(error([](auto& lock) { lock.add_stacks()->set_stack(-1); }),
            "malformed: row 4294967295 of 3 in stacks");
  EXPECT_EQ(error([](auto& lock) {
              lock.mutable_threads(0)->set_name(9999);
            }).rfind("malformed: text 9999 of ", 0),
            0U);
  EXPECT_EQ(error([](auto& lock) {
              lock.mutable_releasers(0)->set_name(9999);
            }).rfind("malformed: text 9999 of ", 0),
            0U);
  for (const std::int64_t time : {INT64_MIN, INT64_MAX}) {
    EXPECT_EQ(error([&](auto& lock) { lock.set_waiting_duration_ns(time); }),
              "malformed: a time that no clock shows");
    EXPECT_EQ(error([&](auto& lock) { lock.mutable_waits()->set_max_duration_ns(time); }),
              "malformed: a time that no clock shows");
    EXPECT_EQ(error([&](auto& lock) { lock.mutable_holds()->set_total_duration_ns(time); }),
              "malformed: a time that no clock shows");
  }
}

TEST(Damage, GilsThatReferToNothing) {
  const auto error = [](const std::function<void(pb::GilContention&)>& change) {
    return ErrorOf(Forged([&](auto& file) { change(*file.mutable_gil_contention(0)); }));
  };
  EXPECT_EQ(error([](auto&) {}), "no error");
  EXPECT_EQ(error([](auto& gil) { gil.set_resource(1); }), "malformed: row 1 of 1 in resources");
  EXPECT_EQ(error([](auto& gil) { gil.mutable_holders(0)->set_stack(3); }),
            "malformed: row 3 of 3 in stacks");
  EXPECT_EQ(error([](auto& gil) { gil.mutable_slices(0)->set_holder(2); }),
            "malformed: a GIL's holder that is not in its row");
  EXPECT_EQ(error([](auto& gil) { gil.mutable_slices(0)->set_holder(UINT32_MAX); }),
            "malformed: a GIL's holder that is not in its row");
  EXPECT_EQ(error([](auto& gil) { gil.mutable_slices(0)->set_begin_ns(INT64_MAX); }),
            "malformed: a time that no clock shows");
}

TEST(Damage, HoldsThatReferToNothing) {
  EXPECT_EQ(ErrorOf(Forged([](auto& file) { file.mutable_lock_orders(0)->set_held(1); })),
            "malformed: row 1 of 1 in resources");
  EXPECT_EQ(ErrorOf(Forged([](auto& file) { file.mutable_lock_orders(0)->set_wanted(-1); })),
            "malformed: row 4294967295 of 1 in resources");
  EXPECT_EQ(ErrorOf(Forged([](auto& file) { file.mutable_lock_orders(1)->set_process(1); })),
            "malformed: row 1 of 1 in processes");
  const auto sighting = [](const std::function<void(pb::LockOrderSighting&)>& change) {
    return ErrorOf(
        Forged([&](auto& file) { change(*file.mutable_lock_orders(0)->mutable_sightings(0)); }));
  };
  EXPECT_EQ(sighting([](auto&) {}), "no error");
  EXPECT_EQ(sighting([](auto& row) { row.set_held_at(3); }), "malformed: row 3 of 3 in stacks");
  EXPECT_EQ(sighting([](auto& row) { row.set_wanted_at(3); }), "malformed: row 3 of 3 in stacks");
  EXPECT_EQ(sighting([](auto& row) { row.add_guards(1); }), "malformed: row 1 of 1 in resources");
  EXPECT_EQ(sighting([](auto& row) { row.set_at_ns(INT64_MAX); }),
            "malformed: a time that no clock shows");
  EXPECT_EQ(
      sighting([](auto& row) { row.set_thread_name(9999); }).rfind("malformed: text 9999 of ", 0),
      0U);
  const auto long_hold = [](const std::function<void(pb::LongHold&)>& change) {
    return ErrorOf(Forged([&](auto& file) { change(*file.mutable_long_holds(0)); }));
  };
  EXPECT_EQ(long_hold([](auto& row) { row.set_resource(1); }),
            "malformed: row 1 of 1 in resources");
  EXPECT_EQ(long_hold([](auto& row) { row.set_acquired_at(3); }),
            "malformed: row 3 of 3 in stacks");
  EXPECT_EQ(long_hold([](auto& row) { row.set_released_at(3); }),
            "malformed: row 3 of 3 in stacks");
  EXPECT_EQ(long_hold([](auto& row) { row.set_duration_ns(INT64_MIN); }),
            "malformed: a time that no clock shows");
  EXPECT_EQ(ErrorOf(Forged([](auto& file) { file.mutable_resource_holds(0)->set_process(1); })),
            "malformed: row 1 of 1 in processes");
}

TEST(Damage, StepsOfAnInversionThatReferToNothing) {
  const auto step = [](const std::function<void(pb::OrderStep&)>& change) {
    return ErrorOf(
        Forged([&](auto& file) { change(*file.mutable_findings(0)->mutable_orders(0)); }));
  };
  const std::string outside = "malformed: a sighting that is not in its row";
  EXPECT_EQ(step([](auto&) {}), "no error");
  EXPECT_EQ(step([](auto& row) { row.set_order(2); }), "malformed: row 2 of 2 in lock_orders");
  EXPECT_EQ(step([](auto& row) { row.set_order(1); }), outside);
  EXPECT_EQ(step([](auto& row) { row.clear_order(); }), outside);
  EXPECT_EQ(step([](auto& row) { row.set_sighting(2); }), outside);
  EXPECT_EQ(step([](auto& row) { row.set_sighting(UINT32_MAX); }), outside);
  EXPECT_EQ(ErrorOf(Forged([](auto& file) { file.mutable_findings(0)->set_long_holds(0, 2); })),
            "malformed: row 2 of 2 in long_holds");
}

TEST(Damage, ATextThatIsNotThere) {
  const std::string file =
      Forged([](auto& message) { message.mutable_processes(0)->set_name(9999); });
  EXPECT_EQ(ErrorOf(file).rfind("malformed: text 9999 of ", 0), 0U) << ErrorOf(file);
}

TEST(Damage, WhatCannotBe) {
  EXPECT_EQ(ErrorOf(Forged([](auto& file) { file.mutable_waits(1)->set_actor(1); })),
            "malformed: a thread that waits twice");
  EXPECT_EQ(ErrorOf(Forged([](auto& file) { file.mutable_waits(0)->set_since_ns(INT64_MIN); })),
            "malformed: a time that no clock shows");
  EXPECT_EQ(ErrorOf(Forged([](auto& file) {
              file.mutable_processes(0)->set_cpu_percent(std::numeric_limits<double>::quiet_NaN());
            })),
            "malformed: a CPU share that is no number");
  EXPECT_EQ(ErrorOf(Forged([](auto& file) { file.clear_observations(); })),
            "malformed: not exactly one observation");
  EXPECT_EQ(ErrorOf(Forged([](auto& file) { file.add_observations(); })),
            "malformed: not exactly one observation");
  EXPECT_EQ(ErrorOf(Forged([](auto& file) { file.set_strings(0, "x"); })),
            "malformed: the first text is not the empty one");
}

TEST(Damage, ARecordWhereTheTrailerHasItsChecksum) {
  std::string file = Forged([](auto&) {});
  file += "\x0a";  // field 1 as a record,
  file += '\0';    // empty
  AppendTrailer(file);
  EXPECT_TRUE(Decode(file));
}

TEST(Damage, RowsThatAreMissing) {
  std::string file = Good();
  pb::Snapshot message;
  ASSERT_TRUE(message.ParseFromString(file));
  message.mutable_trailer()->set_waits(11);
  const pb::Trailer trailer = message.trailer();
  message.clear_trailer();
  file = message.SerializeAsString();
  pb::Snapshot end;
  *end.mutable_trailer() = trailer;
  EXPECT_EQ(ErrorOf(file + end.SerializeAsString()),
            "damaged: the number of rows does not match the trailer");
}

// 100,000 frames of 4 KiB each from a file of half a megabyte.
TEST(Damage, ASmallFileCannotTakeAllMemory) {
  const std::string file = Forged([](auto& message) {
    message.add_strings(std::string(4096, 'x'));
    auto* function = message.add_functions();
    function->set_name(static_cast<std::uint32_t>(message.strings_size()) - 1);
    auto* frame = message.add_frames();
    frame->set_function(static_cast<std::uint32_t>(message.functions_size()) - 1);
    const auto index = static_cast<std::uint32_t>(message.frames_size()) - 1;
    for (int i = 0; i < 100'000; ++i) message.mutable_stacks(0)->add_frames(index);
  });
  const auto read = Decode(file, {.contents_bytes = std::size_t{64} << 20});
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().message,
            "malformed: the contents would take more memory than a snapshot may");
}

TEST(Damage, AHugeRecord) {
  const std::string file = Forged(
      [](auto& message) { message.mutable_findings(0)->set_advice(std::string(17 << 20, 'x')); });
  EXPECT_EQ(ErrorOf(file), "damaged: a record is larger than 16 MiB");
}

}  // namespace
}  // namespace ct
