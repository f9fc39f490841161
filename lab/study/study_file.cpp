#include "lab/study/study_file.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "base/hash.h"
#include "base/text.h"
#include "base/toml_table.h"
#include "lab/study/levels.h"

namespace lab {
namespace {

/// `base` with a table's settings on top, the preset first.
train::Settings settings_of(train::Settings base, base::TomlTable& table) {
  std::vector<train::Assignment> given;
  for (const auto& [name, value] : table.settings())
    given.push_back({name, value, table.where(name) + ": " + name});
  return train::resolve(base, given);
}

Condition condition(const std::string& text, const StudyFile& file, const std::string& source) {
  for (const auto& [word, above] : {std::pair{" above ", true}, {" below ", false}}) {
    const std::size_t at = text.rfind(word);
    if (at == text.npos) continue;
    Condition c{std::string(base::trim(text.substr(0, at))), above, 0};
    const std::string number(base::trim(text.substr(at + std::string_view(word).size())));
    base::require(base::parse_number(number, c.bound) == std::errc{}, source, ": ",
                  base::quote(text), ": ", base::quote(number), " is no number");
    std::vector<std::string_view> names;
    for (const FigureSpec& f : file.figures) names.push_back(f.name);
    if (std::find(names.begin(), names.end(), c.figure) == names.end())
      throw base::Error(fmt::format("{}: {}: no figure is called {}; {}", source, base::quote(text),
                                    base::quote(c.figure), base::suggest(c.figure, names)));
    return c;
  }
  throw base::Error(source + ": " + base::quote(text) +
                    ": give \"FIGURE above NUMBER\" or \"FIGURE below NUMBER\"");
}

/// Puts the place before the errors of `work`.
template <class Work>
void at(const std::string& place, const Work& work) {
  try {
    work();
  } catch (const base::Error& e) {
    throw base::Error(place + ": " + e.what());
  }
}

void read_study(base::TomlTable table, StudyFile& file) {
  Study& study = file.study;
  std::vector<std::string> arms = table.list<std::string>("arms");
  const bool all = table.value("rivals", false);
  base::require(all != !arms.empty(), table.where(),
                ": [study] needs arms = [\"none\", …] or rivals = true");
  if (all) arms = rival_names();
  base::require(arms.size() > 1, table.where("arms"), ": one arm cannot be compared; give another");
  at(table.where("arms"), [&] { study.arms = arm_levels(arms, study.base); });
  study.seeds = table.count("seeds", study.seeds, 1);
  study.tuning_seeds = table.count("tuning_seeds", study.tuning_seeds, 1);
  study.trials = table.count("trials", all ? kRivalTrials : 0, 0);
  if (table.has("margin")) {
    study.margin = table.value("margin", 0.0);
    base::require(*study.margin >= 0 && *study.margin <= 1e3, table.where("margin"), ": margin ",
                  *study.margin, " is not in [0, 1000]");
  }
  const std::vector<double> shares = table.list<double>("shares");
  const bool equivalent = table.value("equivalent", false);
  base::require(shares.empty() || !equivalent, table.where("equivalent"),
                ": shares train every arm at each of them; leave out equivalent");
  study.all_at_shares = !shares.empty();
  if (equivalent) study.shares = share_levels(kEquivalentShares);
  if (!shares.empty()) study.shares = given_shares(shares, table.where("shares") + ": shares");
  std::vector<Axis> axes;
  base::TomlTable given = table.table("axes");
  for (const std::string& setting : given.keys())
    axes.push_back({setting, given.texts(setting), "axis " + setting});
  const std::vector<std::string> named = table.list<std::string>("cells");
  std::vector<Level> combinations = {{}};
  if (!named.empty())
    at(table.where("cells"), [&] { combinations = parse_cells(named, study.base); });
  const auto epochs = table.list<std::int64_t>("epochs");
  for (const std::int64_t n : epochs)
    base::require(n >= 1 && n <= 1'000'000, table.where("epochs"), ": epochs ", n,
                  ": give whole numbers in [1, 1000000]");
  at(table.where(), [&] {
    study.cells = cells_of(study.base, study.arms.front(), std::move(combinations), axes, epochs);
  });
  table.done();
}

void read_figure(base::TomlTable table, StudyFile& file) {
  FigureSpec f;
  f.source = table.where();
  f.name = table.needed("name");
  f.of = table.needed("of");
  for (const auto& [key, member] : {std::pair{"arm", &FigureSpec::arm},
                                    {"cell", &FigureSpec::cell},
                                    {"coefficient", &FigureSpec::coefficient},
                                    {"metric", &FigureSpec::metric},
                                    {"against", &FigureSpec::against},
                                    {"against_metric", &FigureSpec::against_metric},
                                    {"against_cell", &FigureSpec::against_cell},
                                    {"by", &FigureSpec::by}})
    f.*member = table.value<std::string>(key, "");
  f.cells = table.list<std::string>("cells");
  f.on = table.list<std::string>("on");
  table.done();
  for (const FigureSpec& other : file.figures)
    base::require(other.name != f.name, f.source, ": two figures are called ", base::quote(f.name));
  file.figures.push_back(std::move(f));
}

}  // namespace

StudyFile read_study_file(const std::filesystem::path& path, bool quick, const std::string& of) {
  const std::string text = base::read_toml_text(path, "study file");
  const toml::table root = base::parse_toml(text, path);
  StudyFile file;
  file.path = path;
  file.hash = base::Hash().add(text).hex();
  file.study.file = file.hash;
  file.quick = quick;
  base::TomlTable top(path, &root, "");
  file.claim = top.value<std::int64_t>("claim", 0);
  file.title = top.needed("title");
  file.question = top.needed("question");
  base::TomlTable base = top.table("base"), smaller = top.table("quick"), rule = top.table("rule");
  base::TomlTable study = top.table("study");
  base::require(study.there(), path.string(), ": no [study]; give its arms");
  const std::int64_t seeds = smaller.count("seeds", 2, 1),
                     tuning_seeds = smaller.count("tuning_seeds", 1, 1);
  const bool of_text = top.value("of_text", false);
  base::require(of_text || of.empty(), path.string(), ": is not of a text; leave out --text ", of);
  base::require(!of_text || !of.empty(), path.string(), ": is of a text; give it with --text FILE");
  const std::vector<std::string> given = base.keys();
  base::require(!of_text || std::find(given.begin(), given.end(), "text") == given.end(),
                base.where(), ": with of_text the text is given with --text; leave it out here");
  train::Settings start;
  start.text = of;
  file.study.base = settings_of(start, base);
  train::Settings quick_base = settings_of(file.study.base, smaller);
  if (quick) file.study.base = quick_base;
  read_study(study, file);
  if (quick) {
    file.study.seeds = seeds;
    file.study.tuning_seeds = tuning_seeds;
  }
  for (const base::TomlTable& figure : top.tables("figures")) read_figure(figure, file);
  base::require(!file.figures.empty(), path.string(), ": no [[figures]]; give one");
  for (const std::string& c : rule.list<std::string>("supported"))
    file.supported.push_back(condition(c, file, rule.where("supported")));
  for (const std::string& c : rule.list<std::string>("contradicted"))
    file.contradicted.push_back(condition(c, file, rule.where("contradicted")));
  base::require(!file.supported.empty() && !file.contradicted.empty(), path.string(),
                ": [rule] needs supported = […] and contradicted = […], so that it can come out "
                "either way");
  rule.done();
  top.done();
  return file;
}

std::string to_string(const Condition& c) {
  return fmt::format("{} {} {:g}", c.figure, c.above ? "above" : "below", c.bound);
}

std::vector<std::filesystem::path> studies_in(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> out;
  std::error_code code;
  for (const auto& entry : std::filesystem::directory_iterator(folder, code))
    if (entry.path().extension() == ".toml") {
      base::require(!entry.is_fifo(code) && !entry.is_socket(code), entry.path().string(),
                    ": is a pipe or socket, not a study file; remove it");
      out.push_back(entry.path());
    }
  base::require(!code && !out.empty(), folder.string(), ": no study files, *.toml, are there");
  std::sort(out.begin(), out.end());
  return out;
}

}  // namespace lab
