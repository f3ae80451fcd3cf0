#pragma once
// What a plan, its options and the data come to: what a study is resumed by, and what its report says it is.

#include <functional>
#include <string>

#include "data/dataset.h"
#include "engine/base/json.h"
#include "tools/study/about.h"
#include "tools/study/study.h"
#include "tools/training/starting_point.h"

namespace edgeprune {

struct StudyData {
  Dataset training, finetuning, validation, test;
  int64_t of_training = 0, of_test = 0;  ///< images that there are
};

/// What is to be made of the weights, but for the classes.
Wanted wanted(const StudyPlan& plan, const StudyOptions& options);

StudyData open_data(const StudyPlan& plan, const StudyOptions& options,
                    const std::function<void(const std::string&)>& say);

nlohmann::json latency_settings(const StudyPlan& plan);

/// What decides the rows of a study. Of its seeds only the first: more can be added later.
nlohmann::json settings_of(const StudyPlan& plan, const StudyOptions& options,
                           const StudyData& data);

/// For readers of the report.
StudyAbout about_study(const StudyPlan& plan, const StudyOptions& options, const StudyData& data);

}  // namespace edgeprune
