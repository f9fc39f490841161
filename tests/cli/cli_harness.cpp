#include "tests/cli/cli_harness.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <utility>

namespace tests {
namespace {

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

std::vector<char*> pointers(Words& words) {
  std::vector<char*> out;
  for (std::string& word : words) out.push_back(word.data());
  out.push_back(nullptr);
  return out;
}

}  // namespace

Words operator+(Words a, const Words& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

std::string describe(const Words& args, const Result& r) {
  std::string text = "isodrop";
  for (const std::string& arg : args) text += " '" + arg + "'";
  return text + "\nexit code " + std::to_string(r.code) + "\nstdout: " + r.out +
         "\nstderr: " + r.err;
}

Process::Process(const Words& args, const std::filesystem::path& folder, const Words& environment) {
  start(Words{ISODROP_BINARY} + args, folder, environment);
}

Process Process::program(const Words& command, const std::filesystem::path& folder) {
  Process process;
  process.start(command, folder, {});
  return process;
}

Process::Process(Process&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      status_(other.status_),
      started_(other.started_),
      output_(std::move(other.output_)) {}

Process::~Process() {
  if (pid_ < 0) return;
  kill();
  wait();
}

void Process::start(const Words& command, const std::filesystem::path& folder,
                    const Words& environment) {
  output_ = std::make_unique<TempFolder>();
  Words words = command, variables = environment;
  if (std::none_of(environment.begin(), environment.end(),
                   [](const std::string& own) { return own.starts_with("ISODROP_STORE="); }))
    variables.emplace_back("ISODROP_STORE=runs");
  for (char** v = environ; *v != nullptr; ++v) {
    const std::string variable = *v, name = variable.substr(0, variable.find('=') + 1);
    if (std::none_of(variables.begin(), variables.end(),
                     [&](const std::string& own) { return own.starts_with(name); }))
      variables.push_back(variable);
  }
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  const std::string out = (output_->path() / "out").string();
  const std::string err = (output_->path() / "err").string();
  constexpr int kFlags = O_WRONLY | O_CREAT | O_TRUNC;
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 1, out.c_str(), kFlags, 0600);
  posix_spawn_file_actions_addopen(&actions, 2, err.c_str(), kFlags, 0600);
  posix_spawn_file_actions_addchdir_np(&actions, folder.c_str());
  // Signals mean what they do at a terminal, also where the tests run in the background.
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&signals, signal);
  posix_spawnattr_setsigdefault(&attributes, &signals);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
  started_ = now();
  if (posix_spawnp(&pid_, words[0].c_str(), &actions, &attributes, pointers(words).data(),
                   pointers(variables).data()) != 0)
    pid_ = -1;
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  EXPECT_GT(pid_, 0) << "cannot start " << words[0];
}

bool Process::running() {
  int status = 0;
  if (!status_ && waitpid(pid_, &status, WNOHANG) == pid_) status_ = status;
  return !status_;
}

void Process::kill(int signal) {
  if (running()) ::kill(pid_, signal);
}

std::vector<pid_t> Process::children() const {
  const std::string me = std::to_string(pid_);
  std::ifstream in("/proc/" + me + "/task/" + me + "/children");
  std::vector<pid_t> all;
  for (pid_t child = 0; in >> child;)
    if (alive(child)) all.push_back(child);
  return all;
}

bool alive(pid_t pid) {
  std::ifstream in("/proc/" + std::to_string(pid) + "/stat");
  std::string stat((std::istreambuf_iterator<char>(in)), {});
  const std::size_t name_end = stat.rfind(')');  // "12 (name) S ..."
  return name_end != std::string::npos && name_end + 2 < stat.size() && stat[name_end + 2] != 'Z' &&
         stat[name_end + 2] != 'X';
}

Result Process::wait() {
  Result r;
  int status = status_.value_or(0);
  if (pid_ < 0 || (!status_ && waitpid(pid_, &status, 0) != pid_)) return r;
  pid_ = -1;
  r.seconds = now() - started_;
  r.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  r.out = output_->read("out");
  r.err = output_->read("err");
  return r;
}

Result isodrop(const Words& args, const std::filesystem::path& folder, const Words& environment) {
  return Process(args, folder, environment).wait();
}

std::map<std::string, std::string> records(const std::filesystem::path& store) {
  std::map<std::string, std::string> out;
  std::error_code none_yet;
  for (const auto& entry : std::filesystem::directory_iterator(store, none_yet)) {
    std::ifstream in(entry.path() / "record.json");
    if (in) out[entry.path().filename()] = {std::istreambuf_iterator<char>(in), {}};
  }
  return out;
}

void expect_keys(const nlohmann::json& json, const Words& keys) {
  for (const std::string& key : keys) EXPECT_TRUE(json.contains(key)) << key << " in " << json;
}

nlohmann::json json_of(const Words& args, const Result& result) {
  const auto json = nlohmann::json::parse(result.out, nullptr, false);
  EXPECT_FALSE(json.is_discarded()) << describe(args, result);
  return json.is_discarded() ? nlohmann::json() : json;
}

std::string only_error(const Words& args, const Result& r) {
  constexpr std::string_view kPrefix = "isodrop: error: ";
  EXPECT_EQ(r.code, 2) << describe(args, r);
  EXPECT_TRUE(r.err.starts_with(kPrefix)) << describe(args, r);
  EXPECT_EQ(std::count(r.err.begin(), r.err.end(), '\n'), 1) << describe(args, r);
  EXPECT_TRUE(r.err.ends_with('\n')) << describe(args, r);
  EXPECT_EQ(r.out, "") << describe(args, r);
  return r.err;
}

Words changes(const std::map<std::string, std::string>& before,
              const std::map<std::string, std::string>& after) {
  Words out;
  for (const auto& [name, content] : after) {
    const auto old = before.find(name);
    if (old == before.end())
      out.push_back(name + " is new");
    else if (old->second != content)
      out.push_back(name + " is changed");
  }
  for (const auto& [name, content] : before)
    if (!after.contains(name)) out.push_back(name + " is gone");
  return out;
}

nlohmann::json losses(const nlohmann::json& report) {
  nlohmann::json out = nlohmann::json::array();
  for (const nlohmann::json& cell : report["cells"])
    for (const nlohmann::json& arm : cell["arms"]) {
      for (const nlohmann::json& run : arm["runs"])
        for (const char* key : {"seed", "status", "val_loss", "best_val_loss", "train_loss",
                                "steps", "tokens", "flops", "epochs", "id"})
          out.push_back(run[key]);
      out.push_back(arm["vs_baseline"]);
    }
  return out;
}

bool has_nan(const nlohmann::json& json) {
  if (json.is_structured())
    return std::any_of(json.begin(), json.end(), [](const auto& j) { return has_nan(j); });
  if (!json.is_string()) return false;
  const auto& text = json.get_ref<const std::string&>();
  return text == "nan" || text == "-nan" || text == "inf" || text == "-inf";
}

}  // namespace tests
