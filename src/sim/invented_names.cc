#include "sim/invented_names.h"

#include "allot/base/check.h"

namespace allot::sim {
namespace {

constexpr Wording kWords[] = {
    {"ara", "Ara", "아라"},
    {"aram", "Aram", "아람"},
    {"bada", "Bada", "바다"},
    {"boram", "Boram", "보람"},
    {"byeori", "Byeori", "벼리"},
    {"chaeum", "Chaeum", "채움"},
    {"chambit", "Chambit", "참빛"},
    {"chorok", "Chorok", "초록"},
    {"daon", "Daon", "다온"},
    {"dasom", "Dasom", "다솜"},
    {"dodam", "Dodam", "도담"},
    {"eunha", "Eunha", "은하"},
    {"gaon", "Gaon", "가온"},
    {"haedam", "Haedam", "해담"},
    {"haetsal", "Haetsal", "햇살"},
    {"haneul", "Haneul", "하늘"},
    {"hangyeol", "Hangyeol", "한결"},
    {"haram", "Haram", "하람"},
    {"hyeyum", "Hyeyum", "혜윰"},
    {"ieum", "Ieum", "이음"},
    {"ipsae", "Ipsae", "잎새"},
    {"keunbyeol", "Keunbyeol", "큰별"},
    {"maru", "Maru", "마루"},
    {"mirinae", "Mirinae", "미리내"},
    {"narae", "Narae", "나래"},
    {"nuri", "Nuri", "누리"},
    {"onsae", "Onsae", "온새"},
    {"pureun", "Pureun", "푸른"},
    {"raon", "Raon", "라온"},
    {"saebyeok", "Saebyeok", "새벽"},
    {"saetbyeol", "Saetbyeol", "샛별"},
    {"seulgi", "Seulgi", "슬기"},
    {"solbit", "Solbit", "솔빛"},
    {"tarae", "Tarae", "타래"},
    {"yeoul", "Yeoul", "여울"},
    {"yunseul", "Yunseul", "윤슬"},
};

constexpr Wording kAcademiaKinds[] = {
    {"univ", "University", "대학교"},
    {"tech", "Institute of Technology", "공과대학교"},
};
constexpr Wording kIndustryKinds[] = {
    {"ai", "AI", "인공지능"},
    {"bio", "Bio", "바이오"},
    {"robotics", "Robotics", "로보틱스"},
    {"mobility", "Mobility", "모빌리티"},
};
constexpr Wording kResearchKinds[] = {
    {"research", "Research Institute", "연구원"},
    {"lab", "Science Laboratory", "과학연구소"},
};
constexpr Wording kNationalKinds[] = {
    {"ministry", "National AI projects", "국가 인공지능 프로젝트"},
};

constexpr Wording kScienceTopics[] = {
    {"battery-chemistry", "Battery chemistry", "이차전지 소재"},
    {"brain-signals", "Models of brain signals", "뇌 신호 모델"},
    {"chip-layout", "Chip layout by learning", "반도체 배치 학습"},
    {"climate-forecast", "Regional climate forecasts", "지역 기후 예측"},
    {"code-generation", "Verified code generation", "검증된 코드 생성"},
    {"crop-monitoring", "Crop monitoring from the air", "작물 항공 관측"},
    {"distillation", "Distillation into small models", "소형 모델 증류"},
    {"drug-discovery", "Drug discovery", "신약 후보 탐색"},
    {"fluid-dynamics", "Learned fluid dynamics", "유체 역학 학습"},
    {"fusion-plasma", "Control of fusion plasma", "핵융합 플라스마 제어"},
    {"genome-model", "Genome language model", "유전체 언어 모델"},
    {"heritage-archive", "Reading old Korean archives", "고문헌 판독"},
    {"korean-llm", "Korean language model", "한국어 언어 모델"},
    {"legal-text", "Understanding legal text", "법률 문서 이해"},
    {"materials", "Materials discovery", "신소재 탐색"},
    {"medical-imaging", "Medical imaging", "의료 영상 분석"},
    {"multimodal", "Multimodal reasoning", "멀티모달 추론"},
    {"ocean-model", "Ocean circulation", "해양 순환 모델"},
    {"particle-physics", "Particle physics events", "입자 물리 사건 분석"},
    {"privacy", "Training with privacy", "개인정보 보호 학습"},
    {"protein-folding", "Protein structures", "단백질 구조 예측"},
    {"robot-learning", "Robot learning", "로봇 학습"},
    {"safety-evaluation", "Safety evaluation of models", "모델 안전성 평가"},
    {"seismic-signals", "Seismic signals", "지진 신호 분석"},
    {"sign-language", "Sign language translation", "수어 번역"},
    {"sky-survey", "Sky survey", "천체 관측 자료"},
    {"speech", "Speech for older people", "고령자 음성 인식"},
    {"traffic", "City traffic simulation", "도시 교통 모의"},
    {"tutoring", "Tutoring in mathematics", "수학 학습 도우미"},
    {"video-understanding", "Video understanding", "영상 이해"},
};

constexpr Wording kIndustryTopics[] = {
    {"battery-inspection", "Battery cell inspection", "배터리 셀 검사"},
    {"call-assistant", "Customer call assistant", "고객 상담 도우미"},
    {"care-robot", "Care robot", "돌봄 로봇"},
    {"driving", "Autonomous driving", "자율주행"},
    {"drug-candidates", "Drug candidates", "신약 후보 물질"},
    {"energy-forecast", "Energy demand forecast", "전력 수요 예측"},
    {"factory-agent", "Agents on the factory floor", "제조 현장 에이전트"},
    {"financial-text", "Financial text", "금융 문서 분석"},
    {"game-worlds", "Generated game worlds", "게임 세계 생성"},
    {"industrial-llm", "Language model for industry", "산업 특화 언어 모델"},
    {"logistics", "Logistics planning", "물류 계획"},
    {"medical-records", "Medical records", "의무 기록 요약"},
    {"shipyard-vision", "Shipyard vision", "조선소 영상 검사"},
    {"speech-service", "Speech service", "음성 서비스"},
    {"steel-quality", "Steel quality", "철강 품질 예측"},
    {"translation", "Document translation", "문서 번역"},
    {"video-generation", "Video generation", "영상 생성"},
    {"wafer-defects", "Wafer defects", "웨이퍼 결함 검출"},
};

constexpr Wording kNationalTopics[] = {
    {"foundation-model", "National foundation model", "국가 대표 파운데이션 모델"},
    {"manufacturing-ai", "Manufacturing AI", "제조 인공지능 전환"},
    {"public-health", "Public health model", "공공 보건 모델"},
    {"disaster-response", "Disaster response", "재난 대응 모델"},
    {"science-agent", "Agents for science", "과학 연구 에이전트"},
    {"public-service", "Public service assistant", "공공 행정 도우미"},
};

}  // namespace

std::span<const Wording> InstituteWords() { return kWords; }

std::span<const Wording> InstituteKinds(Sector sector) {
  switch (sector) {
    case Sector::kAcademia:
      return kAcademiaKinds;
    case Sector::kIndustry:
      return kIndustryKinds;
    case Sector::kResearch:
      return kResearchKinds;
    case Sector::kNational:
      return kNationalKinds;
  }
  ALLOT_CHECK(false);
}

std::span<const Wording> ProjectTopics(Sector sector) {
  switch (sector) {
    case Sector::kAcademia:
    case Sector::kResearch:
      return kScienceTopics;
    case Sector::kIndustry:
      return kIndustryTopics;
    case Sector::kNational:
      return kNationalTopics;
  }
  ALLOT_CHECK(false);
}

}  // namespace allot::sim
