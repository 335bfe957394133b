// Item vectors as channels of the data, and text encoders of the recommender.
#include <doctest/doctest.h>

#include <cmath>
#include <cstring>

#include "nn/optim.h"
#include "seminar/clip/clip_file.h"
#include "seminar/data/features.h"
#include "seminar/model/seminar_model.h"
#include "seminar/training/model_file.h"
#include "seminar/training/trainer.h"
#include "tensor/io/file.h"
#include "tests/tiny_data.h"
#include "tests/worst_difference.h"

using namespace seminar;
using doctest::Contains;

TEST_SUITE("item vectors") {
  void write_npy(const std::string& path, const std::string& header, const std::vector<float>& values) {
    std::string text = header + "\n";
    std::string file = "\x93NUMPY";
    file += {1, 0, static_cast<char>(text.size()), 0};
    file += text;
    file.append(reinterpret_cast<const char*>(values.data()), values.size() * 4);
    write_file(path, file);
  }

  TEST_CASE(".npy, .csv and .safetensors are read, and refused with the reason") {
    TemporaryFolder folder;
    write_npy(folder / "v.npy", "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }", {1, 2, 3, 4, 5, 6});
    write_file(folder / "ids.txt", "101\n102\n");
    NamedVectors v = read_vectors(folder / "v.npy", folder / "ids.txt");
    CHECK(v.names == std::vector<std::string>{"101", "102"});
    CHECK(v.width == 3);
    CHECK(v.values[5] == 6);
    write_vectors(v, {{"model", "x"}}, folder / "v.safetensors");
    CHECK(read_vectors(folder / "v.safetensors", "").values == v.values);
    CHECK(read_vectors(folder / "v.safetensors", "").names == v.names);
    write_file(folder / "n.csv", "item,price,year\n101,2,1990\n102,,1992\n103,4,\n");
    v = read_vectors(folder / "n.csv", "");
    CHECK(v.values == std::vector<float>{2, 1990, 3, 1992, 4, 1991});

    const auto refuse = [&](const std::string& file, const std::string& ids, const char* what) {
      CHECK_THROWS_WITH_AS(read_vectors(folder / file, ids), Contains(what), Error);
    };
    refuse("v.npy", "", "v.npy: has no names; give --ids FILE");
    refuse("v.safetensors", folder / "ids.txt", "brings its own names");
    write_file(folder / "x.bin", "?");
    refuse("x.bin", "", "must end in .safetensors, .npy or .csv");
    const std::string ids = folder / "ids.txt";
    write_npy(folder / "f.npy", "{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3), }", {1, 2, 3, 4, 5, 6});
    refuse("f.npy", ids, "Fortran order");
    write_npy(folder / "i.npy", "{'descr': '<i4', 'fortran_order': False, 'shape': (2, 3), }", {1, 2, 3, 4, 5, 6});
    refuse("i.npy", ids, "must hold '<f4' or '<f8', not '<i4'");
    write_npy(folder / "s.npy", "{'descr': '<f4', 'fortran_order': False, 'shape': (9000000000, 3), }", {1, 2, 3});
    refuse("s.npy", ids, "the file holds 12");
    write_npy(folder / "n.npy", "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 1), }", {1, NAN});
    refuse("n.npy", ids, "n.npy: vector 1, number 0: must be finite: nan");
    write_npy(folder / "3.npy", "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 1), }", {1, 2, 3});
    refuse("3.npy", ids, "2 names for the 3 vectors");
    write_npy(folder / "d.npy", "{'descr': '<f4', 'fortran_order': False, 'shape': (2, -1), }", {1, 2, 3});
    refuse("d.npy", ids, "shape: not a size: '-1'");
    write_file(folder / "h.npy", std::string("\x93NUMPY\x01\x00\xff\xff{}", 12));
    refuse("h.npy", ids, "header of 65535 bytes");
  }

  TEST_CASE("vectors become a channel of the data set, numbers a part of g(.), and both are trained on") {
    const TinyData tiny;
    TemporaryFolder folder;
    NamedVectors clip{{}, 4, {}}, numbers{{}, 2, {}};
    for (int32_t item = 1; item <= tiny.data.items(); ++item) {
      if (item != 3) {
        clip.names.push_back(std::string(tiny.data.original_item(item)) + ".png");
        for (int i = 0; i < 4; ++i) clip.values.push_back(static_cast<float>(std::sin(item * (i + 1))));
      }
      numbers.names.emplace_back(tiny.data.original_item(item));
      numbers.values.insert(numbers.values.end(), {static_cast<float>(item), 5});
    }
    clip.names.emplace_back("unknown.png");
    clip.values.insert(clip.values.end(), 4, 1);
    const std::string dir = tiny.folder / "data";
    const FeatureCounts counts = add_feature_channel(dir, "image", clip, folder / "one");
    CHECK(counts.items == tiny.data.items() - 1);
    CHECK(counts.unknown == 1);
    add_feature_channel(folder / "one", numeric_channel, numbers, folder / "two");
    const Dataset data = Dataset::open(folder / "two");
    data.verify();
    CHECK(data.feature_channels() == std::vector<std::string>{"image", "numeric"});
    CHECK(data.feature("image", 3).empty());
    CHECK(data.feature("image", 4)[0] == std::sin(4.0f));
    CHECK(data.fingerprint() != tiny.data.fingerprint());

    ModelSettings s = small_settings();
    const Vocabulary v = Vocabulary::of(data, s);
    REQUIRE(v.features.size() == 1);
    // Standardised: mean 0 and variance 1; a column without spread is left out.
    double sum = 0, square = 0;
    for (int32_t item = 1; item <= data.items(); ++item) {
      const double z = (data.feature(numeric_channel, item)[0] - v.numeric->shift[0]) * v.numeric->factor[0];
      sum += z;
      square += z * z;
    }
    CHECK(sum == doctest::Approx(0).epsilon(1e-4));
    CHECK(square / static_cast<double>(data.items()) == doctest::Approx(1).epsilon(1e-4));
    CHECK(v.numeric->factor[1] == 0);
    const Encoders encoders = build<Encoders>(s, v, Rng(3));
    const std::vector<int32_t> items{0, 3, 4}, queries{0};
    const Channels c = encoders(data, items, queries, Mode());
    CHECK(c.item.size() == 3);
    CHECK(c.present.at({0, 2}) == 0);
    CHECK(c.present.at({1, 2}) == 0);
    CHECK(c.present.at({2, 2}) == 1);
    s.features = "none";
    CHECK(build<Encoders>(s, Vocabulary::of(data, s), Rng(3)).item_channels() == 2);
    s.features = "all";

    const RunSettings run = small_run();
    const auto model = make_model("seminar", s, data, Rng(3));
    const Tensor before =
        parameters(dynamic_cast<SeminarModel&>(*model).encoders.feature_maps[0])[0].var.value().clone();
    train(*model, data, run);
    CHECK(worst_difference(
              before, parameters(dynamic_cast<SeminarModel&>(*model).encoders.feature_maps[0])[0].var.value()) > 0);
    CHECK_THROWS_WITH_AS(add_feature_channel(dir, "image", {{"nobody"}, 1, {0}}, folder / "three"),
                         Contains("no name is an item's id"), Error);
    CHECK_FALSE(std::filesystem::exists(folder / "three"));
    CHECK_THROWS_WITH_AS(add_feature_channel(dir, "A/b", clip, folder / "three"), Contains("--channel: must consist"),
                         Error);
  }
}

TEST_SUITE("text encoders of the recommender") {
  ModelSettings text_settings() {
    ModelSettings s = small_settings();
    s.tokens = "bpe";
    s.vocabulary = 270;
    s.query = "transformer";
    return s;
  }

  TEST_CASE("byte-pair tokens: trained on the data, kept in the model file") {
    const TinyData tiny;
    TemporaryFolder folder;
    const auto model = make_model("psu", text_settings(), tiny.data, Rng(3));
    REQUIRE(model->tokenizer());
    CHECK(model->tokenizer()->size() > 260);
    train(*model, tiny.data, small_run());
    save_model(*model, tiny.data, small_run(), folder / "m.safetensors");
    const auto back = load_model(folder / "m.safetensors", tiny.data);
    CHECK(back->tokenizer()->text() == model->tokenizer()->text());
    const Batch batch = make_batch(tiny.data, held_out_targets(tiny.data, Split::test), {8, 3, 0}, Rng(5));
    CHECK(worst_difference(back->score(tiny.data, batch, small_run()), model->score(tiny.data, batch, small_run())) ==
          0);
  }

  TEST_CASE("a frozen text encoder gives the same scores and does not move; the maps behind it do") {
    const TinyData tiny;
    const auto model = make_model("seminar", text_settings(), tiny.data, Rng(3));
    auto& encoders = dynamic_cast<SeminarModel&>(*model).encoders;
    const Batch batch = make_batch(tiny.data, held_out_targets(tiny.data, Split::test), {8, 3, 0}, Rng(5));
    const Tensor joint = model->score(tiny.data, batch, small_run());
    RunSettings run = small_run();
    run.freeze = "text";
    const Tensor word = encoders.words.table.var().value().clone(),
                 block = encoders.text->blocks[0].linear1.weight.var().value().clone(),
                 map = encoders.text_map.weight.var().value().clone();
    model->freeze_text(tiny.data);
    CHECK(worst_difference(model->score(tiny.data, batch, run), joint) < 1e-6);
    train(*model, tiny.data, run);
    CHECK(worst_difference(encoders.words.table.var().value(), word) == 0);
    CHECK(worst_difference(encoders.text->blocks[0].linear1.weight.var().value(), block) == 0);
    CHECK(worst_difference(encoders.text_map.weight.var().value(), map) > 0);
  }

  TEST_CASE("queries through the text encoder need one") {
    ModelSettings s = text_settings();
    s.text = "bag";
    CHECK_THROWS_WITH_AS(check_settings(s), Contains("--query transformer: needs --text transformer"), Error);
  }
}
