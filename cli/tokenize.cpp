#include <fmt/format.h>

#include <charconv>

#include "base/error.h"
#include "base/files.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/files.h"
#include "cli/options.h"
#include "data/text/text_files.h"
#include "data/text/tokens.h"
#include "data/tokenizer/tokenizer.h"

namespace cli {
namespace {

using base::quote;
using base::require;
using Ids = std::vector<std::int32_t>;

/// Of the flag, whose "-" is standard input.
std::string path_of(const Parsed& args, std::string_view flag) {
  require(args.has(flag), "tokenize ", args.argument, " needs --", flag,
          "; give it a file, or - for "
          "standard input");
  return args.text(flag) == "-" ? "/dev/stdin" : args.text(flag);
}

/// To the file, or to standard output. Through the file it is whole or not there.
void put(const Parsed& args, std::string_view text) {
  if (const auto file = open_output(args, "out", ""))
    finish(*file, text);
  else
    fmt::print("{}", text);
}

data::TokenizerPtr tokenizer(const Parsed& args, const std::string& text) {
  require(args.has("tokenizer"), "tokenize ", args.argument,
          " needs --tokenizer; give sp:FILE.model, gpt2:FOLDER or another of 'isodrop list "
          "tokenizers'");
  const data::TokenizerChoice choice = data::parse_tokenizer(args.text("tokenizer"));
  require(!choice.kind->numbers,
          "--tokenizer ids knows no text; give sp:FILE.model or gpt2:FOLDER");
  const data::Source source{text, args.text("text")};
  return choice.kind->make(choice.argument, {&source, 1});
}

int train_model(const Parsed& args) {
  require(args.has("out"),
          "tokenize train needs --out; give the name of a file, as in --out my.model");
  require(args.has("vocab"), "tokenize train needs --vocab; give a number, as in --vocab 1024");
  const std::int64_t vocab = args.integer("vocab", data::kLeastSubwords, data::kMostSubwords);
  const auto file = open_output(args, "out", "");
  const data::Documents all = data::read_documents(path_of(args, "text"));
  const std::string& text = all.text;
  const std::string model = all.naming_files(
      0, [&] { return data::train_sentencepiece(text, vocab, args.text("text")); });
  const auto made = data::sentencepiece_tokenizer(model, args.text("out"));
  finish(*file, model);
  const Ids ids = made->encode(text, args.text("text"));
  fmt::print("{}: {} pieces, {:.3f} bytes a token of {}\n", args.text("out"), made->vocab(),
             static_cast<double>(text.size()) / static_cast<double>(ids.size()), args.text("text"));
  return 0;
}

int encode(const Parsed& args) {
  const data::Documents all = data::read_documents(path_of(args, "text"));
  const auto [codec, ids] = all.naming_files(0, [&] {
    auto made = tokenizer(args, all.text);
    Ids encoded = made->encode(all.text, args.text("text"));
    return std::pair(std::move(made), std::move(encoded));
  });
  std::string out;
  if (data::is_token_file(args.text("out"))) {
    out = data::token_file(ids);
  } else if (args.text("format") == "pieces") {
    for (const std::int32_t id : ids)
      out += quote(codec->pieces()[static_cast<std::size_t>(id)]) + "\n";
  } else {
    for (const std::int32_t id : ids) out += fmt::format("{}{}", out.empty() ? "" : " ", id);
    out += "\n";
  }
  put(args, out);
  return 0;
}

Ids numbers(const std::string& path, const std::string& bin_type) {
  if (data::is_token_file(path)) {
    const data::Tokens ids = data::map_tokens(path, bin_type);
    return {ids.begin(), ids.end()};
  }
  const std::string text = base::read_file(path, data::kMostTextBytes);
  Ids ids;
  for (const char *at = text.data(), *end = at + text.size(); at != end;) {
    if (std::string_view(" \t\r\n").find(*at) != std::string_view::npos) {
      ++at;
      continue;
    }
    std::int32_t id = 0;
    const auto [next, error] = std::from_chars(at, end, id);
    require(error == std::errc{}, quote(path), ": no token id at byte offset ", at - text.data(),
            "; give numbers with blanks between, or a .bin");
    ids.push_back(id);
    at = next;
  }
  return ids;
}

int decode(const Parsed& args) {
  const std::string name = args.text("tokenizer").substr(0, args.text("tokenizer").find(':'));
  require(name != "char" && name != "byte", "--tokenizer ", name,
          ": its ids mean nothing without the text they were made of; give sp:FILE.model or "
          "gpt2:FOLDER");
  const std::string ids = path_of(args, "ids");
  put(args, tokenizer(args, "")->decode(numbers(ids, args.text("bin-type"))));
  return 0;
}

struct Action {
  std::string_view name;
  int (*run)(const Parsed&);
};
constexpr Action kActions[] = {{"train", train_model}, {"encode", encode}, {"decode", decode}};

int tokenize(const Parsed& args) {
  require(!args.argument.empty(), "tokenize how? Give one of train, encode, decode");
  return base::row_named(std::span<const Action>(kActions), args.argument, "action").run(args);
}

}  // namespace

// `isodrop tokenize`: what a text is to a tokenizer.
Command tokenize_command() {
  Command c;
  c.summary =
      "Train a SentencePiece tokenizer on a text, turn text into token ids, or ids into text. "
      "ACTION is train, encode or decode.";
  c.settings = false;
  c.argument = "ACTION";
  c.argument_choices = {"train", "encode", "decode"};
  c.extras = {
      {.flag = "text",
       .hint = "PATH",
       .help = "train, encode: the text, as for 'isodrop train'; - reads standard input"},
      {.flag = "vocab",
       .hint = "N",
       .help = "train: number of tokens, 256 of which are single bytes"},
      {.flag = "tokenizer",
       .hint = "HOW",
       .help = "encode, decode: sp:FILE.model, gpt2:FOLDER or another of 'isodrop list "
               "tokenizers'"},
      {.flag = "ids",
       .hint = "FILE",
       .help = "decode: a .bin, or numbers separated by blanks; - reads standard input"},
      {.flag = "out",
       .hint = "FILE",
       .help = "file to write: the model, the text, or the ids. A name ending in .bin gets binary "
               "ids of 16 bits, or of 32 bits with llm.c's header if one needs more"},
      bin_type_flag("ids"),
      format_flag({"ids", "pieces"}, "encode: what to print"),
  };
  c.examples = {"isodrop tokenize train --text book.txt --vocab 1024 --out book.model",
                "isodrop tokenize encode --text book.txt --tokenizer sp:book.model --out book.bin",
                "isodrop tokenize decode --ids book.bin --tokenizer sp:book.model"};
  c.run = tokenize;
  return c;
}

}  // namespace cli
