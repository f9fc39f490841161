// What was chosen, on disk.
#include "base/error.h"
#include "lab/study/tuning.h"

namespace lab {

Json to_json(const Trial& trial) {
  return {{"set", to_json(trial.set)},
          {"runs", trial.runs},
          {"lost", trial.lost},
          {"val_loss", base::or_null(trial.val_loss)}};
}

Json to_json(const std::vector<Tuned>& tuned, const Study& study, const Json& identity) {
  Json choices = Json::array();
  for (const Tuned& of : tuned) {
    Json trials = Json::array();
    for (const Trial& trial : of.trials) trials.push_back(to_json(trial));
    choices.push_back({{"cell", of.cell},
                       {"arm", study.arms[of.arm].name},
                       {"chosen", of.chosen},
                       {"extended", of.extended},
                       {"edge", of.edge},
                       {"flops", of.flops},
                       {"trials", trials}});
  }
  return {{"choices", choices}, {"hash", fingerprint({identity, choices})}};
}

std::vector<Tuned> tuned_from_json(const Json& json, const Study& study, const Json& identity,
                                   const std::string& source) {
  const std::string out = "; it was edited by hand: remove it, and the choice is made anew";
  base::require(json.is_object() && json.contains("choices") && json.contains("hash") &&
                    json["hash"] == fingerprint({identity, json["choices"]}),
                source, ": is not the choice that this comparison wrote", out);
  std::vector<Tuned> tuned;
  try {
    for (const Json& c : json["choices"]) {
      Tuned of;
      of.cell = c.at("cell");
      const std::string name = c.at("arm");
      while (of.arm < study.arms.size() && study.arms[of.arm].name != name) ++of.arm;
      of.chosen = c.at("chosen");
      of.extended = c.at("extended");
      of.edge = c.at("edge");
      of.flops = c.at("flops");
      for (const Json& t : c.at("trials")) {
        Trial trial;
        for (const auto& [setting, value] : t.at("set").items())
          trial.set.emplace_back(setting, value.get<std::string>());
        trial.runs = t.at("runs");
        trial.lost = t.at("lost");
        if (!t.at("val_loss").is_null()) trial.val_loss = t.at("val_loss").get<double>();
        of.trials.push_back(std::move(trial));
      }
      base::require(of.cell < study.cells.size() && of.arm < study.arms.size() &&
                        of.chosen < of.trials.size(),
                    source, ": names what is not there", out);
      tuned.push_back(std::move(of));
    }
  } catch (const Json::exception&) {
    throw base::Error(source + ": is not the choice that this comparison wrote" + out);
  }
  return tuned;
}

}  // namespace lab
