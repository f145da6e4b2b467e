// opencv_run MODEL.onnx < INPUT > OUTPUT - a network in OpenCV's dnn module.
// INPUT is four int32 N C H W, then floats; OUTPUT for each output of the
// network its rank and sizes as int32, then floats.
#include <cstdint>
#include <cstdio>
#include <exception>
#include <opencv2/dnn.hpp>
#include <vector>

static int run(const char *path)
{
    int32_t size[4];
    std::vector<cv::Mat> outputs;

    if (std::fread(size, sizeof(size), 1, stdin) != 1)
        return 1;
    cv::Mat input(4, size, CV_32F);
    if (std::fread(input.data, sizeof(float), input.total(), stdin) !=
        input.total())
        return 1;
    cv::dnn::Net net = cv::dnn::readNetFromONNX(path);
    net.setPreferableBackend(cv::dnn::DNN_BACKEND_OPENCV);
    net.setInput(input);
    net.forward(outputs, net.getUnconnectedOutLayersNames());
    for (const cv::Mat &mat : outputs) {
        const cv::Mat whole = mat.isContinuous() ? mat : mat.clone();
        const int32_t rank = whole.dims;

        std::fwrite(&rank, sizeof(rank), 1, stdout);
        for (int i = 0; i < rank; i++)
            std::fwrite(&whole.size[i], sizeof(int32_t), 1, stdout);
        std::fwrite(whole.data, sizeof(float), whole.total(), stdout);
    }
    return 0;
}

int main(int argc, char **argv)
{
    try {
        return argc == 2 ? run(argv[1]) : 1;
    } catch (const std::exception &error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 1;
    }
}
